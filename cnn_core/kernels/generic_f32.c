/* The kernels in plain C, float32. */
#define F64 0
#define ISA "generic"
#define TABLE cnn_core_generic_f32
#include "simd_generic.h"
#include "bodies.inc.h"
