// Shared libraries that Node, Dawn and drivers need and a bare box may lack, found on this machine with ldd.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

/** Folder of the pack that a library goes to: what each is for decides when it is used. */
export type LibraryFolder = 'lib/glibc' | 'lib/gcc' | 'lib/x11';

/** Used as a whole or not at all: its parts know one another's insides. Drivers name some that neither Node nor Dawn does. */
export const GLIBC: readonly string[] = [
  'ld-linux-x86-64.so.2',
  'libc.so.6',
  'libm.so.6',
  'libdl.so.2',
  'libpthread.so.0',
  'librt.so.1',
  'libresolv.so.2',
  'libutil.so.1',
];
const GCC = /^lib(stdc\+\+|gcc_s)\.so\.\d+$/;

/** What NVIDIA's Vulkan driver is linked with and a machine without a display may lack. */
const BESIDE_DRIVERS = ['libXext.so.6', 'libGLdispatch.so.0'];

/** File by name, as ldd prints it: 'libm.so.6 => /lib/…/libm.so.6 (0x…)', or an absolute path for the dynamic loader. */
export function parseLdd(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/.exec(line);
    if (match) found.set(path.basename(line.trim().split(' ')[0]!), match[1]!);
  }
  return found;
}

/** Which folder a library goes to. */
export function libraryFolder(name: string): LibraryFolder {
  if (GLIBC.includes(name)) return 'lib/glibc';
  return GCC.test(name) ? 'lib/gcc' : 'lib/x11';
}

/** What sharedLibraries found. */
export interface SharedLibraries {
  /** Path in the pack → file of this machine, for what the programs need and what drivers may need. */
  readonly files: ReadonlyMap<string, string>;
  /** Names in lib/x11, each after those that it needs. */
  readonly order: readonly string[];
  /** What drivers may need and this machine lacks. */
  readonly absent: readonly string[];
}

/** The libraries that the programs need, and those that drivers may. */
export function sharedLibraries(programs: readonly string[]): SharedLibraries {
  const needed = new Map(programs.flatMap((program) => [...ldd(program)]));
  const libc = needed.get('libc.so.6');
  if (libc === undefined) throw new Error(`${programs[0]} is not linked with glibc: the pack needs a Node for glibc`);
  const system = path.dirname(libc);
  const absent: string[] = [];
  for (const name of [...GLIBC, ...BESIDE_DRIVERS]) {
    const file = path.join(system, name);
    if (!existsSync(file)) absent.push(name);
    else for (const [each, where] of [[name, file] as const, ...ldd(file)]) needed.set(each, where);
  }
  const files = new Map([...needed].map(([name, file]) => [`${libraryFolder(name)}/${name}`, file]));
  // A library needs at least one more than each of those that it needs.
  const order = [...needed]
    .filter(([name]) => libraryFolder(name) === 'lib/x11')
    .map(([name, file]) => ({ name, needs: ldd(file).size }))
    .sort((a, b) => a.needs - b.needs)
    .map(({ name }) => name);
  return { files, order, absent };
}

const ldd = (file: string): Map<string, string> =>
  parseLdd(execFileSync('ldd', [file], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } }));
