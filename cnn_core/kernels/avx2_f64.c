/* The kernels in AVX2, float64. */
#include "target.h"
#ifdef CNN_CORE_X86
#define F64 1
#define ISA "avx2"
#define TABLE cnn_core_avx2_f64
#include "simd_avx2.h"
#include "bodies.inc.h"
#else
typedef int not_for_this_processor;
#endif
