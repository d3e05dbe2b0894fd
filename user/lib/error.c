/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * error.c - words: the last complaint of a thread, the log callback, what libbpf has to say.
 *
 * Promises: nothing is ever printed, errno and the text belong to the same failure.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "context.h"

#ifndef CAP_BPF
#define CAP_PERFMON 38
#define CAP_BPF 39
#endif

static __thread char error_text[512];
static __thread char libbpf_text[256];
static __thread const struct xp_logger *libbpf_logger;
static libbpf_print_fn_t libbpf_previous;

const char *xdplace_error(void)
{
	return error_text;
}

int xp_fail(int err, const char *format, ...)
{
	char text[sizeof(error_text)];
	va_list args;

	/* The arguments may point into the text that is replaced. */
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	memcpy(error_text, text, sizeof(text));
	errno = err;
	return -err;
}

void xp_log(const struct xp_logger *logger, enum xdplace_log_level level, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!logger->log)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	logger->log(logger->arg, level, text);
}

/* A verifier log comes as one message of many lines: only its first line is a warning. */
static void log_lines(const struct xp_logger *logger, enum xdplace_log_level level, char *text)
{
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		if (level == XDPLACE_LOG_WARN && !libbpf_text[0])
			snprintf(libbpf_text, sizeof(libbpf_text), "%s", line);
		logger->log(logger->arg, level, line);
		level = XDPLACE_LOG_DEBUG;
	}
}

static void no_log(void *arg, enum xdplace_log_level level, const char *text)
{
}

static int libbpf_print(enum libbpf_print_level level, const char *format, va_list args)
{
	static const enum xdplace_log_level levels[] = {
		[LIBBPF_WARN] = XDPLACE_LOG_WARN,
		[LIBBPF_INFO] = XDPLACE_LOG_INFO,
		[LIBBPF_DEBUG] = XDPLACE_LOG_DEBUG,
	};
	struct xp_logger quiet = {.log = no_log};
	char *text;

	if (!libbpf_logger)
		return libbpf_previous ? libbpf_previous(level, format, args) : 0;
	if (level == LIBBPF_DEBUG && !libbpf_logger->log)
		return 0;
	if (vasprintf(&text, format, args) < 0)
		return 0;
	log_lines(libbpf_logger->log ? libbpf_logger : &quiet, levels[level], text);
	free(text);
	return 0;
}

static void libbpf_install(void)
{
	libbpf_previous = libbpf_set_print(libbpf_print);
}

void xp_libbpf_begin(const struct xp_logger *logger)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, libbpf_install);
	libbpf_logger = logger;
	libbpf_text[0] = 0;
}

void xp_libbpf_end(void)
{
	libbpf_logger = NULL;
}

const char *xp_libbpf_said(void)
{
	const char *text = libbpf_text;

	return strncmp(text, "libbpf: ", 8) ? text : text + 8;
}

static uint64_t effective_caps(void)
{
	uint64_t caps = ~0ull;
	char line[128];
	FILE *file;

	file = fopen("/proc/self/status", "re");
	if (!file)
		return caps;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %" SCNx64, &caps) == 1)
			break;
	fclose(file);
	return caps;
}

const char *xp_missing_caps(uint64_t mask, char *text, size_t size)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{CAP_BPF, "CAP_BPF"},
		{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
		{CAP_PERFMON, "CAP_PERFMON"},
		{CAP_NET_RAW, "CAP_NET_RAW"},
		{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
	};
	uint64_t missing = mask & ~effective_caps();
	size_t i, n = 0;

	text[0] = 0;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(missing >> names[i].bit & 1) || n >= size)
			continue;
		n += snprintf(text + n, size - n, "%s%s", n ? ", " : " (missing: ", names[i].name);
	}
	if (n && n < size)
		snprintf(text + n, size - n, ")");
	return text;
}
