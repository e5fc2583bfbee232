/* The kernels in plain C, float64. */
#define F64 1
#define ISA "generic"
#define TABLE cnn_core_generic_f64
#include "simd_generic.h"
#include "bodies.inc.h"
