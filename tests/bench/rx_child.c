/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rx_child.c - peers that are programs of their own: libnids and DPDK by a small one of ours beside
 * this one (tests/bench/peers), tcpflow as it is packaged.
 *
 * In: the program's name. Out: the bytes that it has in place, which ours keep in a page of shared
 * memory and tcpflow in its files. They run on CPU 1, as consumers of this process do.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rx.h"
#include "peers/peer.h"

#define START_SECONDS 15.0
#define STOP_SECONDS 3.0

struct rx_child {
	pid_t pid;
	struct peer_shared *shared;
	/* tcpflow: */
	struct rx_traffic traffic;
	uint16_t port;
	char directory[32];
};

/* ---- processes ---- */

static void become_consumer(void)
{
	const struct sched_param param = {0};
	cpu_set_t set;
	int null = open("/dev/null", O_RDWR);

	CPU_ZERO(&set);
	CPU_SET(1, &set);
	sched_setaffinity(0, sizeof(set), &set);
	sched_setscheduler(0, SCHED_OTHER, &param);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
}

/* What it says goes to a file of which the last line becomes its excuse. */
static pid_t spawn(char *const argv[], int say)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	become_consumer();
	dup2(say, STDERR_FILENO);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Once it is there: DPDK does not start if threads of its own have to wait for one another. */
static void hurry(pid_t pid)
{
	const struct sched_param param = {.sched_priority = 10};

	sched_setscheduler(pid, SCHED_FIFO, &param);
}

static void stop(pid_t pid)
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

static void last_words(struct rx_system *system, int say)
{
	char text[2048];
	ssize_t len = pread(say, text, sizeof(text) - 1, 0);
	off_t size = lseek(say, 0, SEEK_END);
	char *line;

	if (size > (off_t)sizeof(text) - 1)
		len = pread(say, text, sizeof(text) - 1, size - sizeof(text) + 1);
	if (len <= 0) {
		snprintf(system->why, sizeof(system->why), "it said nothing");
		return;
	}
	text[len] = 0;
	while (len > 0 && text[len - 1] == '\n')
		text[--len] = 0;
	line = strrchr(text, '\n');
	snprintf(system->why, sizeof(system->why), "%.190s", line ? line + 1 : text);
}

/* Beside this program. */
static bool find_program(struct rx_system *system, char *path, size_t size)
{
	char self[256];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		return false;
	self[len] = 0;
	snprintf(path, size, "%s/%s", dirname(self), system->program);
	if (!access(path, X_OK))
		return true;
	snprintf(system->why, sizeof(system->why),
		 "%s was not built: its headers are missing (scripts/dependencies.sh bench)",
		 system->program);
	return false;
}

static bool ready(struct rx_child *child)
{
	double until = bench_now() + START_SECONDS;

	while (bench_now() < until && !waitpid(child->pid, NULL, WNOHANG)) {
		if (__atomic_load_n(&child->shared->ready, __ATOMIC_ACQUIRE))
			return true;
		usleep(1000);
	}
	return false;
}

static struct rx_child *child_new(void)
{
	struct rx_child *child = calloc(1, sizeof(*child));

	if (!child)
		return NULL;
	child->shared = mmap(NULL, sizeof(*child->shared), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return child;
}

static void child_free(struct rx_child *child)
{
	stop(child->pid);
	munmap(child->shared, sizeof(*child->shared));
	free(child);
}

/* ---- libnids, DPDK ---- */

static int start_child(struct rx_system *system, const struct rx_traffic *traffic,
		       enum rx_wait wait)
{
	static const char *const waits[] = {"nap", "long-nap", "busy", "sleep"};
	int shared = memfd_create("xpbench", 0);
	int say = memfd_create("xpbench-say", MFD_CLOEXEC);
	char path[PATH_MAX], memory[16], flows[16];
	char *const argv[] = {path, (char *)RX_RECEIVER, memory, flows, (char *)waits[wait], NULL};
	struct rx_child *child = system->child;
	int err = -EIO;

	if (ftruncate(shared, sizeof(*child->shared)))
		return -errno;
	munmap(child->shared, sizeof(*child->shared));
	child->shared =
		mmap(NULL, sizeof(*child->shared), PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
	snprintf(memory, sizeof(memory), "%d", shared);
	snprintf(flows, sizeof(flows), "%u", traffic->flows);
	if (find_program(system, path, sizeof(path))) {
		child->pid = spawn(argv, say);
		err = ready(child) ? 0 : -EIO;
		if (err)
			last_words(system, say);
		else
			hurry(child->pid);
	}
	close(shared);
	close(say);
	return err;
}

static int child_open(struct rx_system *system, const struct rx_traffic *traffic, enum rx_wait wait)
{
	int err;

	system->child = child_new();
	if (!system->child)
		return -ENOMEM;
	err = start_child(system, traffic, wait);
	if (err)
		child_free(system->child);
	return err;
}

static void child_close(struct rx_system *system)
{
	child_free(system->child);
}

static uint64_t child_bytes(struct rx_system *system)
{
	return __atomic_load_n(&system->child->shared->bytes, __ATOMIC_RELAXED);
}

struct peer_shared *rx_child_shared(const struct rx_system *system)
{
	return system->child->shared;
}

const struct rx_ops rx_child_ops = {
	.open = child_open,
	.close = child_close,
	.bytes = child_bytes,
};

/* ---- tcpflow: one file for each flow, in a file system in memory ---- */

static void file_name(const struct rx_child *child, uint32_t flow, char *path, size_t size)
{
	snprintf(path, size, "%s/198.051.100.001.%05u-203.000.113.001.%05u", child->directory,
		 BENCH_PORT + (flow & BENCH_PORT_MASK), child->port + (flow >> BENCH_PORT_BITS));
}

/* It looks for packets as soon as its socket is in the kernel's list. */
static bool listening(void)
{
	char line[256];
	int lines = 0;
	FILE *file = fopen("/proc/thread-self/net/packet", "re");

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		lines++;
	fclose(file);
	return lines > 1;
}

static int wait_listening(struct rx_child *child)
{
	double until = bench_now() + START_SECONDS;

	while (!listening()) {
		if (bench_now() > until || waitpid(child->pid, NULL, WNOHANG))
			return -EIO;
		usleep(1000);
	}
	usleep(100000);
	return 0;
}

static int start_tcpflow(struct rx_system *system)
{
	struct rx_child *child = system->child;
	/* One scanner, which re-assembles: the others look into what was. */
	char *const argv[] = {"tcpflow", "-q",	     "-i", (char *)RX_RECEIVER,
			      "-E",	 "tcpdemux", "-o", child->directory,
			      NULL};
	int say = memfd_create("xpbench-say", MFD_CLOEXEC);
	int err;

	child->pid = spawn(argv, say);
	err = wait_listening(child);
	if (err)
		last_words(system, say);
	else
		hurry(child->pid);
	close(say);
	return err;
}

static void tcpflow_free(struct rx_child *child)
{
	stop(child->pid);
	child->pid = 0;
	umount2(child->directory, MNT_DETACH);
	rmdir(child->directory);
	child_free(child);
}

static int tcpflow_open(struct rx_system *system, const struct rx_traffic *traffic,
			enum rx_wait wait)
{
	struct rx_child *child;
	int err;

	if (traffic->udp) {
		snprintf(system->why, sizeof(system->why), "tcpflow re-assembles TCP only");
		return -EPROTONOSUPPORT;
	}
	child = system->child = child_new();
	if (!child)
		return -ENOMEM;
	strcpy(child->directory, "/tmp/xpbench-XXXXXX");
	child->traffic = *traffic;
	if (!mkdtemp(child->directory) ||
	    mount("tmpfs", child->directory, "tmpfs", 0, "size=4g,mode=777"))
		err = -errno;
	else
		err = start_tcpflow(system);
	if (err)
		tcpflow_free(child);
	return err;
}

static void tcpflow_close(struct rx_system *system)
{
	tcpflow_free(system->child);
}

/* Files of the flows before are of no use; tcpflow may have them open still. */
static int tcpflow_prepare(struct rx_system *system, const struct rx_traffic *traffic,
			   uint16_t port)
{
	struct rx_child *child = system->child;
	char path[128];
	uint32_t i;

	for (i = 0; child->port && i < traffic->flows; i++) {
		file_name(child, i, path, sizeof(path));
		if (!truncate(path, 0))
			unlink(path);
	}
	child->port = port;
	return 0;
}

static uint64_t tcpflow_bytes(struct rx_system *system)
{
	struct rx_child *child = system->child;
	uint64_t bytes = 0;
	struct stat status;
	char path[128];
	uint32_t i;

	for (i = 0; child->port && i < child->traffic.flows; i++) {
		file_name(child, i, path, sizeof(path));
		if (!stat(path, &status))
			bytes += status.st_size;
	}
	return bytes;
}

/* Up to the first packet that is not there: the ninth byte of a payload is never zero. */
static uint64_t file_whole(const char *path, uint32_t payload)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status = {0};
	const uint8_t *data;
	uint64_t at = 0;

	if (fd < 0)
		return 0;
	if (!fstat(fd, &status) && status.st_size) {
		data = mmap(NULL, status.st_size, PROT_READ, MAP_SHARED, fd, 0);
		if (data != MAP_FAILED) {
			while (at + payload <= (uint64_t)status.st_size && data[at + 8])
				at += payload;
			munmap((void *)data, status.st_size);
		}
	}
	close(fd);
	return at;
}

static uint64_t tcpflow_whole(struct rx_system *system)
{
	struct rx_child *child = system->child;
	uint64_t bytes = 0;
	char path[128];
	uint32_t i;

	for (i = 0; child->port && i < child->traffic.flows; i++) {
		file_name(child, i, path, sizeof(path));
		bytes += file_whole(path, child->traffic.payload);
	}
	return bytes;
}

const struct rx_ops rx_tcpflow_ops = {
	.open = tcpflow_open,
	.close = tcpflow_close,
	.prepare = tcpflow_prepare,
	.bytes = tcpflow_bytes,
	.whole = tcpflow_whole,
};
