// torch.Generator.
#pragma once
#include "bindings/python.h"
#include "core/generator.h"

namespace tapegrad::python {

/// The generator of a `generator=` argument; the default one for None.
Generator& get_generator(PyObject* object);

}  // namespace tapegrad::python
