/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fuzz.c - memory with a fence around it, see fuzz.h.
 */
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include "fuzz.h"

#define PAGE 4096u

static uint8_t *map(void)
{
	uint8_t *memory = mmap(NULL, FENCED_MAX + PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || mprotect(memory + FENCED_MAX, PAGE, PROT_NONE)) {
		perror("fuzz: mmap");
		exit(1);
	}
	return memory;
}

const uint8_t *fenced(const void *bytes, size_t size)
{
	static uint8_t *memory;
	uint8_t *first;

	if (!memory)
		memory = map();
	holds(size <= FENCED_MAX, "%zu bytes to fence", size);
	first = memory + FENCED_MAX - size;
	__asan_unpoison_memory_region(memory, FENCED_MAX);
	if (size)
		memcpy(first, bytes, size);
	__asan_poison_memory_region(memory, FENCED_MAX - size);
	return first;
}
