/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * open_context - does xdplace_open() work on this kernel, self-test included?
 *
 * In: nothing. Out: a line for each set of options, "ok open NAME: ..." with the instructions that
 * the verifier counted for each program, or "not ok open NAME: " and what the library says.
 * Promises: attaches nothing, pins nothing. Exit code 0 if all went well, else 1.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include <xdplace/xdplace.h>

static const struct {
	const char *name;
	struct xdplace_opts opts;
} cases[] = {
	{"default", {.size = sizeof(struct xdplace_opts)}},
	{"lanes1", {.size = sizeof(struct xdplace_opts), .lanes = 1}},
	{"lanes2", {.size = sizeof(struct xdplace_opts), .lanes = 2}},
	{"nocsum", {.size = sizeof(struct xdplace_opts), .lanes = 1, .no_checksum = true}},
	{"nopickup", {.size = sizeof(struct xdplace_opts), .lanes = 2, .no_pickup = true}},
	{"xsk", {.size = sizeof(struct xdplace_opts), .lanes = 2, .frames_xsk = true}},
	{"small",
	 {.size = sizeof(struct xdplace_opts), .lanes = 1, .umem_size = 1 << 20, .window = 65536}},
	{"large",
	 {.size = sizeof(struct xdplace_opts),
	  .lanes = 2,
	  .umem_size = 512 << 20,
	  .area_size = 32768,
	  .own_size = 64 << 20}},
};

/* The program behind a descriptor of ours, 0: it is no program. */
static __u32 program_of(const char *fd)
{
	char path[300], line[128];
	__u32 id = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", fd);
	info = fopen(path, "r");
	while (info && fgets(line, sizeof(line), info))
		sscanf(line, "prog_id: %u", &id);
	if (info)
		fclose(info);
	return id;
}

static size_t describe(__u32 id, char *text, size_t size)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		info.name[0] = 0;
	close(fd);
	return snprintf(text, size, " %s %u", info.name, info.verified_insns);
}

/* Instructions that the verifier went through for each program this process holds, as text. */
static void count(char *text, size_t size)
{
	DIR *all = opendir("/proc/self/fdinfo");
	struct dirent *fd;
	size_t used = 0;
	__u32 id;

	text[0] = 0;
	while (all && (fd = readdir(all)) && used < size) {
		id = program_of(fd->d_name);
		if (id)
			used += describe(id, text + used, size - used);
	}
	if (all)
		closedir(all);
}

static int try(const char *name, const struct xdplace_opts *opts)
{
	struct xdplace *ctx = xdplace_open(opts);
	char text[256];

	if (!ctx) {
		printf("not ok open %s: %s\n", name, xdplace_error());
		return 0;
	}
	count(text, sizeof(text));
	printf("ok open %s:%s\n", name, text);
	fflush(stdout);
	xdplace_close(ctx);
	return 1;
}

int main(void)
{
	int all = 1;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		all &= try(cases[i].name, &cases[i].opts);
	return !all;
}
