/* What becomes of a number before the first layer and behind the last, in float64. */
#ifndef CNN_CORE_SCALING_H
#define CNN_CORE_SCALING_H

#include <math.h>

/* Beyond it t / sqrt(1 + (t / 3)^2) is 3 to the last bit, and (t / 3)^2 might overflow. */
#define CLIPPED_TO_3 1e9

/* t / sqrt(1 + (t / 3)^2), between -3 and 3. */
static inline double smooth_clip(double t)
{
    if (t > CLIPPED_TO_3) t = CLIPPED_TO_3;
    if (t < -CLIPPED_TO_3) t = -CLIPPED_TO_3;
    const double third = t / 3;
    return t / sqrt(1 + third * third);
}

/* An output in the unit of its target, kept between low and high; NaN stays. */
static inline double to_unit(double y, double factor, double shift, double low, double high)
{
    const double value = y * factor + shift;
    return value < low ? low : value > high ? high : value;
}

#endif
