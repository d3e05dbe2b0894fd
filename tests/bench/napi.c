/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * napi.c - give an interface's receive processing a thread of its own, on a CPU of our choice.
 *
 * In: an interface with a program attached. Out: its driver polls in a kernel thread that comes
 * before all ordinary threads of that CPU, as softirqs do of the CPU where a NIC's interrupts go.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "veth.h"

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static bool read_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	bool done;

	if (!file)
		return false;
	done = fgets(text, size, file);
	fclose(file);
	return done;
}

/* The thread whose name begins so; -ENOENT. */
static pid_t find_thread(const char *name)
{
	DIR *proc = opendir("/proc");
	pid_t found = -ENOENT;
	struct dirent *entry;
	char path[300], comm[32];

	if (!proc)
		return -errno;
	while (found < 0 && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (read_file(path, comm, sizeof(comm)) && !strncmp(comm, name, strlen(name)))
			found = atoi(entry->d_name);
	}
	closedir(proc);
	return found;
}

pid_t veth_napi_thread(const char *ifname, int cpu)
{
	const struct sched_param param = {.sched_priority = 50};
	char text[64];
	cpu_set_t set;
	pid_t thread;
	int err;

	snprintf(text, sizeof(text), "/sys/class/net/%s/threaded", ifname);
	err = write_file(text, "1");
	if (err)
		return err;
	snprintf(text, sizeof(text), "napi/%s-", ifname);
	thread = find_thread(text);
	if (thread < 0)
		return thread;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(thread, sizeof(set), &set) ||
	    sched_setscheduler(thread, SCHED_FIFO, &param))
		return -errno;
	return thread;
}

double veth_napi_cpu(pid_t thread)
{
	char path[64], text[128];

	snprintf(path, sizeof(path), "/proc/%d/schedstat", thread);
	return read_file(path, text, sizeof(text)) ? strtod(text, NULL) / 1e9 : 0;
}
