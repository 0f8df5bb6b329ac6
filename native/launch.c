/* podwire-plugin: what the links of plugin types lead to. It becomes the executable `podwire` beside it, with an environment
 * in which the JavaScript engine does not prepare to compile what runs once: an exec takes 0.6 ms and 2 MiB less (measured),
 * and only the environment can say so before the engine starts. What the caller's environment says to the engine (BUN_...)
 * is dropped: BUN_BE_BUN=1 would make a plugin that root runs an interpreter of anything.
 * No libc: loading one would cost a third of what is won. */
#include <linux/limits.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
static long call(long number, long a, long b, long c, long d) {
  long result;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
}
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
#elif defined(__aarch64__)
static long call(long number, long a, long b, long c, long d) {
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c, x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
__asm__(".globl _start\n_start: mov x0, sp\n bl start\n");
#else
#error "podwire is built for x86-64 and arm64"
#endif

#define AT_FDCWD -100
#define PROGRAM "podwire"

static char *append(char *end, const char *text) {
  while (*text != 0) *end++ = *text++;
  *end = 0;
  return end;
}

static char *append_number(char *end, long number) {
  if (number >= 10) end = append_number(end, number / 10);
  *end++ = (char)('0' + number % 10);
  *end = 0;
  return end;
}

static int is_for_engine(const char *variable) {
  return variable[0] == 'B' && variable[1] == 'U' && variable[2] == 'N' && variable[3] == '_';
}

/* The error object of SPEC.md section 5 on stdout. A path with a quote or backslash is no place anything is installed in. */
static void fail(const char *path, long error) {
  static char text[PATH_MAX + 256];
  char *end = append(text, "{\n    \"cniVersion\": \"1.0.0\",\n    \"code\": 5,\n    \"msg\": \"cannot run ");
  end = append_number(append(append(end, path), ": errno "), error);
  end = append(end, "\",\n    \"details\": \"run podwire install again: the executable belongs beside its plugins\"\n}\n");
  call(SYS_write, 1, (long)text, end - text, 0);
  call(SYS_exit_group, 1, 0, 0, 0);
}

/* `stack` is as the kernel leaves it: argc, argv and NULL, the environment and NULL. */
__attribute__((used)) void start(long *stack) {
  static char path[PATH_MAX + sizeof PROGRAM];
  char **argv = (char **)(stack + 1), **variables = argv + stack[0] + 1;
  long count = 0, kept = 0;
  while (variables[count] != 0) count++;
  char *environment[count + 3];
  environment[kept++] = "BUN_JSC_useJIT=0";
  environment[kept++] = "BUN_FEATURE_FLAG_DISABLE_STANDALONE_MADVISE=1";
  for (long i = 0; i < count; i++)
    if (!is_for_engine(variables[i])) environment[kept++] = variables[i];
  environment[kept] = 0;

  long length = call(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)path, PATH_MAX - 1);
  if (length < 0) fail("/proc/self/exe", -length);
  while (length > 0 && path[length - 1] != '/') length--;
  append(path + length, PROGRAM);
  fail(path, -call(SYS_execve, (long)path, (long)argv, (long)environment, 0));
}
