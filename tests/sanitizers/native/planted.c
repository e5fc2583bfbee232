/* Planted defects, one a function: proof that a sanitizer reports what it should. run.py loads them
 * as a library, or starts them as a program with the name of one. What they work on comes from
 * outside, so that nothing is computed in advance. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads the number after the last of an array. */
double read_beyond(const double *numbers, long count)
{
    double sum = 0;
    for (long i = 0; i <= count; i++) sum += numbers[i];
    return sum;
}

/* Overflows a signed integer, which the flags of Python's own build define. */
int overflow(int value) { return value + 1; }

/* Decides by memory that nobody has written. */
int branch_on_unset(long count)
{
    int *volatile numbers = malloc((size_t)count * sizeof *numbers);
    if (!numbers) return -1;
    const int answer = numbers[count / 2] > 7 ? 1 : 2;
    free(numbers);
    return answer;
}

static long counter;

static void *count_up(void *times)
{
    for (long i = 0; i < *(long *)times; i++) counter++;
    return NULL;
}

/* Two threads count in one variable without a lock. */
long race(long times)
{
    pthread_t other;
    if (pthread_create(&other, NULL, count_up, &times)) return -1;
    count_up(&times);
    pthread_join(other, NULL);
    return counter;
}

/* No defect. */
long nothing(long value) { return value; }

int main(int arguments, char **argument)
{
    const char *name = arguments > 1 ? argument[1] : "";
    double *numbers = calloc(1000, sizeof *numbers);
    volatile double answer = 0; /* or there would be nothing to compute */
    if (!numbers) return 2;
    if (!strcmp(name, "read_beyond")) answer = read_beyond(numbers, 1000);
    if (!strcmp(name, "branch_on_unset") && branch_on_unset(1000) == 1) puts("large");
    (void)answer;
    free(numbers);
    return 0;
}
