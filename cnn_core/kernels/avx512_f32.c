/* The kernels in AVX512, float32. */
#include "target.h"
#ifdef CNN_CORE_X86
#define F64 0
#define ISA "avx512"
#define TABLE cnn_core_avx512_f32
#include "simd_avx512.h"
#include "bodies.inc.h"
#else
typedef int not_for_this_processor;
#endif
