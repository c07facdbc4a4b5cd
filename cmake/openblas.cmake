# Finds OpenBLAS in the build Python's scipy-openblas32 package and ships it in tapegrad/lib. It is loaded at
# run time by full path (csrc/kernels/blas.cpp), never linked. macOS uses Accelerate instead.
if(APPLE)
  find_library(ACCELERATE Accelerate REQUIRED)
  link_libraries("${ACCELERATE}")
  return()
endif()

execute_process(
  COMMAND "${Python_EXECUTABLE}" -c [=[
import importlib.metadata as metadata, pathlib
import scipy_openblas32 as openblas
licence = next(f for f in metadata.files("scipy-openblas32") if f.name.startswith("LICENSE"))
library = pathlib.Path(openblas.get_lib_dir(), openblas.get_library(fullname=True))
print(library.resolve().as_posix(), licence.locate().resolve().as_posix(), sep=";", end="")
]=]
  OUTPUT_VARIABLE openblas_files RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "OpenBLAS not found: install scipy-openblas32 into ${Python_EXECUTABLE}")
endif()
list(GET openblas_files 0 OPENBLAS_LIBRARY)
list(GET openblas_files 1 OPENBLAS_LICENCE)
message(STATUS "OpenBLAS: ${OPENBLAS_LIBRARY}")

# csrc/kernels/blas.cpp looks for this name whatever suffix the build Python's package uses.
set(openblas_name libscipy_openblas.so)
set(openblas_copy "${PROJECT_BINARY_DIR}/openblas/${openblas_name}")
configure_file("${OPENBLAS_LIBRARY}" "${openblas_copy}" COPYONLY)
find_program(CMAKE_STRIP strip)
if(CMAKE_STRIP)
  execute_process(COMMAND "${CMAKE_STRIP}" --strip-unneeded "${openblas_copy}")
endif()
install(FILES "${openblas_copy}" DESTINATION tapegrad/lib)
install(FILES "${OPENBLAS_LICENCE}" DESTINATION tapegrad/lib RENAME LICENSE-OpenBLAS.txt)

if(TAPEGRAD_INPLACE)
  set(inplace_dir "${PROJECT_SOURCE_DIR}/python/tapegrad/lib")
  file(MAKE_DIRECTORY "${inplace_dir}")
  file(CREATE_LINK "${OPENBLAS_LIBRARY}" "${inplace_dir}/${openblas_name}" SYMBOLIC)
  file(CREATE_LINK "${OPENBLAS_LICENCE}" "${inplace_dir}/LICENSE-OpenBLAS.txt" SYMBOLIC)
endif()
