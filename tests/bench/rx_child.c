/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rx_child.c - peers that are programs of their own: libnids and DPDK by a small one of ours beside
 * this one (tests/bench/peers), tcpflow as it is packaged, but for its ring (peers/ring.c).
 *
 * In: the program's name. Out: the bytes that it has in place, which ours keep in a page of shared
 * memory and tcpflow in its files. They run on CPU 1, as consumers of this process do.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
#define FORGET_SECONDS 1.0

struct rx_child {
	pid_t pid;
	struct peer_shared *shared;
	/* tcpflow: */
	struct rx_traffic traffic;
	uint16_t port;
	char directory[32];
};

/* ---- starting ---- */

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
	bench_child_stop(child->pid);
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
	if (bench_child_find(system->program, path, system->why, sizeof(system->why))) {
		child->pid = bench_child_spawn(argv, 1, say);
		err = ready(child) ? 0 : -EIO;
		if (err)
			bench_child_last_words(say, system->why, sizeof(system->why));
		else
			bench_child_hurry(child->pid);
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

/* Between two bursts: it may be asleep for some time. */
static int child_prepare(struct rx_system *system, const struct rx_traffic *traffic, uint16_t port)
{
	struct peer_shared *shared = system->child->shared;
	double until = bench_now() + FORGET_SECONDS;

	__atomic_store_n(&shared->forget, 1, __ATOMIC_RELEASE);
	while (peer_asked(shared)) {
		if (bench_now() > until || waitpid(system->child->pid, NULL, WNOHANG)) {
			snprintf(system->why, sizeof(system->why), "it does not answer any more");
			return -EIO;
		}
		usleep(100);
	}
	return 0;
}

static pid_t child_process(const struct rx_system *system)
{
	return system->child->pid;
}

struct peer_shared *rx_child_shared(const struct rx_system *system)
{
	return system->child->shared;
}

const struct rx_ops rx_child_ops = {
	.open = child_open,
	.close = child_close,
	.prepare = child_prepare,
	.bytes = child_bytes,
	.process = child_process,
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
	char preload[PATH_MAX + 16] = "LD_PRELOAD=";
	/* One scanner, which re-assembles: the others look into what was. */
	char *const argv[] = {
		"env",	    preload, "tcpflow",	       "-q", "-i", (char *)RX_RECEIVER, "-E",
		"tcpdemux", "-o",    child->directory, NULL};
	int say;
	int err;

	if (!bench_child_find("peer-ring.so", preload + strlen(preload), system->why,
			      sizeof(system->why)))
		return -ENOENT;
	say = memfd_create("xpbench-say", MFD_CLOEXEC);
	child->pid = bench_child_spawn(argv, 1, say);
	err = wait_listening(child);
	if (err)
		bench_child_last_words(say, system->why, sizeof(system->why));
	else
		bench_child_hurry(child->pid);
	close(say);
	return err;
}

static void tcpflow_free(struct rx_child *child)
{
	bench_child_stop(child->pid);
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
	.process = child_process,
};
