/* The fuzz targets of wire/ under names of their own, for a replay in a unit test. */
#ifndef TESTS_FUZZ_WIRE_H
#define TESTS_FUZZ_WIRE_H

#define LLVMFuzzerTestOneInput fuzz_msg
#include "../fuzz/fuzz_msg.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_connfile
#include "../fuzz/fuzz_connfile.c"
#undef LLVMFuzzerTestOneInput

#endif
