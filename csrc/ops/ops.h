// Every operation on tensors, by family. All record their derivative when grad mode asks for it.
#pragma once
#include "ops/arithmetic.h"
#include "ops/pending.h"
#include "ops/create.h"
#include "ops/formula.h"
