/* The kernels in NEON, float64. */
#include "target.h"
#ifdef CNN_CORE_ARM64
#define F64 1
#define ISA "neon"
#define TABLE cnn_core_neon_f64
#include "simd_neon.h"
#include "bodies.inc.h"
#else
typedef int not_for_this_processor;
#endif
