// When a process began, where the system tells: an id alone may be another process's by now.
import { readFile, readlink } from 'node:fs/promises';

/** Ticks from the machine's start to the process's, from Linux' /proc (proc_pid_stat(5), field 22); undefined for one that is gone or a zombie. */
export async function birthOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field is the program's name in parentheses, which may hold anything.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields === undefined || fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

let known: Promise<string> | undefined;

/** What process ids and births are told apart within: this start of the machine, and this container's ids; 'unknown' where nothing is told. */
export function birthplace(): Promise<string> {
  return (known ??= Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    readlink('/proc/self/ns/pid'),
  ]).then(
    (parts) => parts.map((part) => part.trim()).join('/'),
    () => 'unknown',
  ));
}
