/* The kernels in NEON, float32. */
#include "target.h"
#ifdef CNN_CORE_ARM64
#define F64 0
#define ISA "neon"
#define TABLE cnn_core_neon_f32
#include "simd_neon.h"
#include "bodies.inc.h"
#else
typedef int not_for_this_processor;
#endif
