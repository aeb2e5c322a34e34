// An empty root folder for the pack: a shell, what `run` assumes, and what stands for a driver; nothing else of this machine.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { GLIBC, parseLdd } from './shared-libraries.mjs';

/** What the pack's command assumes. */
const PROGRAMS = ['sh', 'gzip', 'mkdir', 'chmod', 'mv', 'rm'];

/** A root folder of its own. */
export class Room {
  readonly root = mkdtempSync(path.join(os.tmpdir(), 'limn-room-'));

  constructor() {
    chmodSync(this.root, 0o755);
    for (const folder of ['bin', 'tmp', 'proc', 'dev', 'root', 'home']) mkdirSync(path.join(this.root, folder));
    for (const folder of ['tmp', 'home']) chmodSync(path.join(this.root, folder), 0o777);
  }

  /** A file of this machine, at its own place or another, with the libraries that it is linked with. */
  add(file: string, at = file, leaveOut: RegExp = /^$/): void {
    this.copy(file, at);
    for (const [name, where] of parseLdd(lddOf(file))) if (!leaveOut.test(name)) this.copy(where, where);
  }

  private copy(file: string, at: string): void {
    const target = path.join(this.root, at);
    if (existsSync(target)) return;
    mkdirSync(path.dirname(target), { recursive: true });
    copyFileSync(file, target);
  }

  write(file: string, text: string): void {
    const target = path.join(this.root, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, text);
  }

  /** One static program for everything, or this machine's own programs with their libraries, glibc among them. */
  addShell(busybox: string | undefined): void {
    if (busybox !== undefined) {
      copyFileSync(busybox, path.join(this.root, 'bin/busybox'));
      for (const name of PROGRAMS) symlinkSync('busybox', path.join(this.root, 'bin', name));
      return;
    }
    for (const name of PROGRAMS) this.add(located(name), `/bin/${name}`);
    // A machine that has glibc has all of it.
    const libc = parseLdd(lddOf(located('sh'))).get('libc.so.6');
    if (libc === undefined) throw new Error('the shell of this machine is not linked with glibc');
    for (const file of GLIBC.map((name) => path.join(path.dirname(libc), name)))
      if (existsSync(file)) this.copy(file, file);
  }

  /** The pack as it travels, at /pack. */
  addPack(folder: string): void {
    cpSync(folder, path.join(this.root, 'pack'), {
      recursive: true,
      filter: (file) => !['unpacked', 'results'].includes(path.relative(folder, file)),
    });
  }

  /** Runs the pack's command inside, with no variable but those given; /proc and /dev/null are those of this machine. */
  run(args: readonly string[], { env = {}, nobody = false }: RunIn = {}): { code: number | null; output: string } {
    const inside = nobody ? ['--userspec=65534:65534', this.root] : [this.root];
    const setup = `
      mount --bind /proc "$0/proc" && touch "$0/dev/null" && mount --bind /dev/null "$0/dev/null" || exit 99
      exec chroot "$@"`;
    const command = [
      '-m',
      'sh',
      '-c',
      setup,
      this.root,
      ...inside,
      '/bin/sh',
      '-c',
      'cd "$HOME" && exec /bin/sh /pack/run "$@"',
      'run',
    ];
    const { status, stdout, stderr } = spawnSync('unshare', [...command, ...args], {
      encoding: 'utf8',
      env: { PATH: '/bin:/usr/bin:/usr/sbin:/sbin', HOME: nobody ? '/home' : '/root', ...env },
      maxBuffer: 2 ** 26,
    });
    return { code: status, output: `${stdout}${stderr}` };
  }

  dispose(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** How to run inside. */
export interface RunIn {
  readonly env?: Readonly<Record<string, string>>;
  /** As a user to whom nothing of the pack's folder belongs. */
  readonly nobody?: boolean;
}

/** Why rooms cannot be entered here; undefined when they can. */
export function whyNoRooms(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'an empty root folder is entered by root on Linux only';
  const { status, stderr } = spawnSync('unshare', ['-m', 'chroot', '/', 'true'], { encoding: 'utf8' });
  return status === 0 ? undefined : `chroot is not permitted here: ${stderr.trim() || 'no unshare or chroot'}`;
}

/** A busybox that needs no library: LIMN_BUSYBOX, or the one that is installed. */
export function staticBusybox(): string | undefined {
  const found = process.env['LIMN_BUSYBOX'] || located('busybox');
  if (!found) return undefined;
  return parseLdd(lddOf(found)).size === 0 ? found : undefined;
}

const lddOf = (file: string): string =>
  spawnSync('ldd', [file], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } }).stdout;

/** A program's file, or '' when it is not there. */
const located = (name: string): string =>
  spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();
