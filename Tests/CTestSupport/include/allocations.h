/* Counts what a thread allocates, so that tests can prove that a loop allocates nothing. */
#ifndef METAREC_TEST_ALLOCATIONS_H
#define METAREC_TEST_ALLOCATIONS_H

#include <stdint.h>

/* Blocks of memory that the calling thread has asked for so far; -1 where they cannot be counted. */
int64_t mr_test_allocation_count(void);

#endif
