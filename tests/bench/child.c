/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * child.c - start and end peers that are programs of their own.
 *
 * In: a program that was built beside this one, or any other, and the CPU that it is to run on.
 * Out: its process, and if it fails what it said last.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define STOP_SECONDS 3.0

static void become_peer(int cpu)
{
	const struct sched_param param = {0};
	int null = open("/dev/null", O_RDWR);

	bench_pin_cpu(cpu);
	sched_setscheduler(0, SCHED_OTHER, &param);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
}

pid_t bench_child_spawn(char *const argv[], int cpu, int say)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	become_peer(cpu);
	dup2(say, STDERR_FILENO);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Once it is there: DPDK does not start if threads of its own have to wait for one another. */
void bench_child_hurry(pid_t pid)
{
	const struct sched_param param = {.sched_priority = 10};

	sched_setscheduler(pid, SCHED_FIFO, &param);
}

void bench_child_stop(pid_t pid)
{
	double until = bench_now() + STOP_SECONDS;

	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		usleep(1000);
		if (bench_now() > until)
			kill(pid, SIGKILL);
	}
}

void bench_child_last_words(int say, char *why, size_t why_size)
{
	char text[2048];
	ssize_t len = pread(say, text, sizeof(text) - 1, 0);
	off_t size = lseek(say, 0, SEEK_END);
	char *line;

	if (size > (off_t)sizeof(text) - 1)
		len = pread(say, text, sizeof(text) - 1, size - sizeof(text) + 1);
	if (len <= 0) {
		snprintf(why, why_size, "it said nothing");
		return;
	}
	text[len] = 0;
	while (len > 0 && text[len - 1] == '\n')
		text[--len] = 0;
	line = strrchr(text, '\n');
	snprintf(why, why_size, "%s", line ? line + 1 : text);
}

bool bench_child_find(const char *program, char *path, char *why, size_t why_size)
{
	char self[256];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		return false;
	self[len] = 0;
	snprintf(path, PATH_MAX, "%s/%s", dirname(self), program);
	if (!access(path, X_OK))
		return true;
	snprintf(why, why_size,
		 "%s was not built: its headers are missing (scripts/dependencies.sh bench)",
		 program);
	return false;
}
