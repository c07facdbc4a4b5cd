// The elementary functions of Vec<float> and Vec<double>.
#pragma once

#include "vec_math_basic.h"
#include "vec_math_division.h"
#include "vec_math_exp.h"
#include "vec_math_log.h"
#include "vec_math_pow.h"
#include "vec_math_special.h"
#include "vec_math_trig.h"
