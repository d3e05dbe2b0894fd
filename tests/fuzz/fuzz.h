/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fuzz.h - what the fuzz targets share.
 *
 * A target is one file: LLVMFuzzerTestOneInput() makes of the input whatever its subject takes, and
 * asserts what the subject promises. Its name is the file's; its corpus is in corpus-NAME/.
 *
 * Promise: an assertion that does not hold ends the process by abort(), which libFuzzer reports
 * with the input, after a line that says what did not hold.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define holds(condition, ...)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s: ", __FILE__, __LINE__,          \
				#condition);                                                       \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The input as a sequence of values; behind its end all are zero. */
struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t take8(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static inline uint16_t take16(struct input *in)
{
	uint16_t low = take8(in);

	return low | take8(in) << 8;
}

static inline uint32_t take32(struct input *in)
{
	uint32_t low = take16(in);

	return low | (uint32_t)take16(in) << 16;
}

/*
 * A copy of the bytes that nothing can be read beside: behind the last one begins a page without
 * access, and what is before the first one is poisoned for AddressSanitizer. Up to FENCED_MAX
 * bytes; valid until the next call.
 */
#define FENCED_MAX 65536u
const uint8_t *fenced(const void *bytes, size_t size);

#endif
