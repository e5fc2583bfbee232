/* The kernels in AVX512, float64. */
#include "target.h"
#ifdef CNN_CORE_X86
#define F64 1
#define ISA "avx512"
#define TABLE cnn_core_avx512_f64
#include "simd_avx512.h"
#include "bodies.inc.h"
#else
typedef int not_for_this_processor;
#endif
