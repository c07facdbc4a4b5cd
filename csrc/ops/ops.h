// Every operation on tensors, by family. All record their derivative when grad mode asks for it.
#pragma once
#include "ops/arithmetic.h"
#include "ops/copy_ops.h"
#include "ops/create.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/join.h"
#include "ops/random.h"
#include "ops/rows.h"
#include "ops/views.h"
