/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * compiler.h - what lets the pure stages be built for BPF and for the host alike.
 */
#ifndef COMPILER_H
#define COMPILER_H

#include <linux/types.h>

/* Some of the kernel's headers (linux/stddef.h) define it as a mere request. */
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))

/*
 * Keeps the compiler from reasoning about a value across this point, so that the verifier sees
 * the bound checked on the register that is then used.
 */
#define xp_opaque(x) asm volatile("" : "+r"(x))

/*
 * Unaligned loads in network byte order. BPF may load unaligned words (where the machine can, the
 * others emulate); written as a copy they would become single bytes. On the host they must be
 * copies.
 */
static __always_inline __u32 xp_get32(const void *p)
{
#ifdef __bpf__
	return *(const __u32 *)p;
#else
	__u32 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
#endif
}

static __always_inline __u16 xp_get16(const void *p)
{
#ifdef __bpf__
	return *(const __u16 *)p;
#else
	__u16 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
#endif
}

static __always_inline __u64 xp_get64(const void *p)
{
#ifdef __bpf__
	return *(const __u64 *)p;
#else
	__u64 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
#endif
}

/* A mask of the first 1..7 bytes of a word in memory. */
static __always_inline __u64 xp_first_bytes(__u32 bytes)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (1ull << (8 * bytes)) - 1;
#else
	return ~0ull << (64 - 8 * bytes);
#endif
}

/* Two 32-bit words, in their order in memory, as one. */
static __always_inline __u64 xp_pair(__u32 first, __u32 second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return first | (__u64)second << 32;
#else
	return second | (__u64)first << 32;
#endif
}

/* Four bytes, in their order in memory, as one word. */
static __always_inline __u32 xp_quad(__u8 a, __u8 b, __u8 c, __u8 d)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return a | (__u32)b << 8 | (__u32)c << 16 | (__u32)d << 24;
#else
	return d | (__u32)c << 8 | (__u32)b << 16 | (__u32)a << 24;
#endif
}

/* Two 16-bit words, in their order in memory, as one. */
static __always_inline __u32 xp_halves(__u16 first, __u16 second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return first | (__u32)second << 16;
#else
	return second | (__u32)first << 16;
#endif
}

/* In front of a loop that must have no jumps. */
#ifdef __clang__
#define xp_unroll _Pragma("unroll")
#else
#define xp_unroll _Pragma("GCC unroll 16")
#endif

#define xp_unlikely(x) __builtin_expect(!!(x), 0)

#endif
