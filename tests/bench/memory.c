/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * memory.c - how much memory a system holds. What the machine has free says nothing of that: other
 * programs come and go.
 *
 * In: a process. Out: the pages that it has mapped, its share of those that others have as well
 * (that is rings of AF_XDP and AF_PACKET too); what the kernel charges for its BPF maps and
 * programs; for sockets, which are no pages of a process, the objects in the kernel's caches.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define OBJECTS_MAX 512u

/* ---- pages ---- */

/* A mapped map is no page of the process: it is charged for as a map. */
static uint64_t pages_of(pid_t pid)
{
	unsigned long long kib, sum = 0;
	bool map = false;
	char path[64], line[512];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Pss: %llu", &kib) == 1)
			sum += map ? 0 : kib;
		else if (strcspn(line, "-") < strcspn(line, ": "))
			map = strstr(line, "anon_inode:bpf-map");
	}
	fclose(file);
	return sum * 1024;
}

/* ---- BPF maps and programs ---- */

struct object {
	unsigned int id;
	bool program;
};

struct objects {
	struct object seen[OBJECTS_MAX];
	size_t count;
	uint64_t bytes;
};

/* Several descriptors may stand for one. */
static void add(struct objects *objects, struct object object, uint64_t bytes)
{
	size_t i;

	for (i = 0; i < objects->count; i++)
		if (objects->seen[i].id == object.id && objects->seen[i].program == object.program)
			return;
	if (objects->count == OBJECTS_MAX)
		return;
	objects->seen[objects->count++] = object;
	objects->bytes += bytes;
}

static void add_descriptor(struct objects *objects, const char *path)
{
	unsigned long long bytes = 0;
	struct object object = {0};
	char line[128];
	FILE *file = fopen(path, "re");

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "memlock: %llu", &bytes);
		if (sscanf(line, "prog_id: %u", &object.id) == 1)
			object.program = true;
		else
			sscanf(line, "map_id: %u", &object.id);
	}
	fclose(file);
	if (object.id)
		add(objects, object, bytes);
}

static uint64_t objects_of(pid_t pid)
{
	struct objects objects = {.count = 0};
	char directory[64], path[512];
	const struct dirent *entry;
	DIR *dir;

	snprintf(directory, sizeof(directory), "/proc/%d/fdinfo", pid);
	dir = opendir(directory);
	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		add_descriptor(&objects, path);
	}
	closedir(dir);
	return objects.bytes;
}

uint64_t bench_memory_of(pid_t pid)
{
	if (!pid)
		pid = getpid();
	return pages_of(pid) + objects_of(pid);
}

/* ---- sockets ---- */

/*
 * What one TCP socket is made of, with its file and its place in an epoll set; not its entry in
 * the cache of names, whose slab others fill and empty all the time.
 */
static bool of_socket(const char *cache)
{
	static const char *const caches[] = {"TCP", "sock_inode_cache", "filp", "eventpoll_epi",
					     "eventpoll_pwq"};
	size_t i;

	for (i = 0; i < sizeof(caches) / sizeof(caches[0]); i++)
		if (!strcmp(cache, caches[i]))
			return true;
	return false;
}

uint64_t bench_memory_sockets(void)
{
	unsigned long long active, all, size, sum = 0;
	char line[512], cache[64];
	FILE *file = fopen("/proc/slabinfo", "re");

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %llu %llu %llu", cache, &active, &all, &size) == 4 &&
		    of_socket(cache))
			sum += active * size;
	fclose(file);
	return sum;
}
