// When a process began, where the system tells: an id alone may be another process's by now.
import { readFile, readlink } from 'node:fs/promises';
import { systemCode } from './disk.js';

/** The birth of a process that exists and does not tell: another user's where /proc hides those (hidepid), any where there is no /proc. */
export const HIDDEN = 'unknown';

/**
 * Ticks from the machine's start to the process's, from Linux' /proc (proc_pid_stat(5), field 22), or `HIDDEN`; undefined for one that is
 * gone or a zombie. `proc`: where processes are told of.
 */
export async function birthOf(pid: number, proc = '/proc'): Promise<string | undefined> {
  const text = await readFile(`${proc}/${pid}/stat`, 'utf8').catch(() => undefined);
  if (text === undefined) return exists(pid) ? HIDDEN : undefined;
  // The second field is the program's name in parentheses, which may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

/** Whether a process has that id, whoever's it is. */
export function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return systemCode(cause) !== 'ESRCH';
  }
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
