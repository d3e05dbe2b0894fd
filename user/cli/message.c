/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * message.c - what is said on stderr, exit codes, the end of stdout, signals, numbers for people.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

volatile bool cli_stop;

static void say(const char *format, va_list args)
{
	/* Messages come after the output they are about, also when both go to one file. */
	fflush(stdout);
	fputs("xdplace", stderr);
	if (cli.verb)
		fprintf(stderr, " %s", cli.verb->name);
	fputs(": ", stderr);
	vfprintf(stderr, format, args);
}

void cli_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	fputc('\n', stderr);
}

_Noreturn void cli_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	fprintf(stderr, "\ntry 'xdplace %s%s--help'\n", cli.verb ? cli.verb->name : "",
		cli.verb ? " " : "");
	exit(CLI_USAGE);
}

int cli_exit_code(int err)
{
	switch (err < 0 ? -err : err) {
	case 0:
		return CLI_DONE;
	case EINVAL:
		return CLI_USAGE;
	case EOPNOTSUPP:
	case ENOSYS:
	case EPROTO:
	case ERANGE: /* MTU too large for the driver */
		return CLI_UNSUPPORTED;
	case EBUSY:
	case EEXIST:
		return CLI_BUSY;
	case EPERM:
	case EACCES:
		return CLI_PERMISSION;
	case ENOENT:
		return CLI_NOT_FOUND;
	}
	return CLI_FAILED;
}

int cli_error(int err, const char *format, ...)
{
	const char *why = xdplace_error();
	va_list args;

	if (*why) {
		cli_warn("%s", why);
		return cli_exit_code(err);
	}
	va_start(args, format);
	say(format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(err < 0 ? -err : err));
	return cli_exit_code(err);
}

int cli_errno(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(err < 0 ? -err : err));
	return cli_exit_code(err);
}

_Noreturn void cli_syntax(const char *what, const char *text, size_t where)
{
	const char *why = xdplace_error();

	if (where > strlen(text))
		where = strlen(text);
	/* The library names the kind of text itself. */
	if (*why)
		cli_warn("%s", why);
	else
		cli_warn("%s: syntax error", what);
	fprintf(stderr, "  %s\n  %*s^\n", text, (int)where, "");
	fprintf(stderr, "try 'xdplace %s --help'\n", cli.verb ? cli.verb->name : "");
	exit(CLI_USAGE);
}

void cli_log(void *arg, enum xdplace_log_level level, const char *text)
{
	int wanted = (int)level;

	/* What the library makes of libbpf's complaints is clearer than they are themselves. */
	if (!strncmp(text, "libbpf: ", 8))
		wanted++;
	if (wanted <= cli.verbose)
		cli_warn("%s", text);
}

bool cli_flush(void)
{
	return !fflush(stdout) && !ferror(stdout);
}

/* Has the reader of a pipe left? errno can't tell: stdio may have met the error long ago. */
static bool reader_left(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&out, 1, 0) > 0 && out.revents & POLLERR;
}

int cli_finish(int code)
{
	static bool told;

	errno = 0;
	if (told || cli_flush() || errno == EPIPE || reader_left())
		return code;
	cli_warn("standard output: %s", errno ? strerror(errno) : "output was lost");
	told = true;
	return code ? code : CLI_FAILED;
}

static void on_signal(int number)
{
	cli_stop = true;
}

void cli_catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal}, before;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* nohup(1) means it; a shell that ignores SIGINT for background jobs does not. */
	if (!sigaction(SIGHUP, NULL, &before) && before.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
}

const char *cli_human(uint64_t bytes, char *text, size_t size)
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	int unit = -1;

	while (value >= 1024 && unit < 5) {
		value /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(text, size, "%" PRIu64, bytes);
	else if (value < 10 && value != (double)(int)value)
		snprintf(text, size, "%.1f%c", value, units[unit]);
	else
		snprintf(text, size, "%.0f%c", value, units[unit]);
	return text;
}

const char *cli_human_ms(uint64_t ms, char *text, size_t size)
{
	uint64_t s = ms / 1000;

	if (ms < 1000)
		snprintf(text, size, "%" PRIu64 "ms", ms);
	else if (s < 60)
		snprintf(text, size, "%" PRIu64 ".%" PRIu64 "s", s, ms % 1000 / 100);
	else if (s < 3600)
		snprintf(text, size, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else
		snprintf(text, size, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	return text;
}

char *cli_join(char **words, int count)
{
	size_t size = 1;
	char *text;
	int i;

	for (i = 0; i < count; i++)
		size += strlen(words[i]) + 1;
	text = calloc(1, size);
	if (!text)
		exit(cli_errno(ENOMEM, "join words"));
	for (i = 0; i < count; i++) {
		strcat(text, words[i]);
		if (i + 1 < count)
			strcat(text, " ");
	}
	return text;
}
