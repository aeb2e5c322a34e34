// Writes the pack: every file compressed by itself with gzip, a list of them, the command and a README.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { locateArchive, unpackDriver } from '@limn/software-vulkan';
import { bundleCode } from './bundle.mjs';
import { sharedLibraries } from './shared-libraries.mjs';
import type { PackedSize } from './size.mjs';

/** A file of the unpacked tree. */
interface TreeFile {
  readonly data: Uint8Array;
  readonly executable: boolean;
}

/** What writing gave. */
export interface Pack {
  readonly folder: string;
  readonly sizes: readonly PackedSize[];
  /** What this machine could not give. */
  readonly notes: readonly string[];
}

/** Writes the pack of the checkout at `root` to `folder`, which is emptied first except for `results`. Throws where something else is in it. */
export async function writePack(root: string, folder: string): Promise<Pack> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(
      `the pack is made of this machine's Node, so it is made on Linux x64, not ${process.platform} ${process.arch}`,
    );
  makeRoom(folder);
  const { tree, notes } = await collect(root);
  const sizes: PackedSize[] = [];
  const write = (file: string, data: Uint8Array | string, executable = false): void => {
    const target = path.join(folder, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, data);
    chmodSync(target, executable ? 0o755 : 0o644);
    sizes.push({ file, bytes: statSync(target).size });
  };
  const names = [...tree.keys()].sort();
  // A name with a blank or a sign of the shell's would need care that the command does not take.
  const odd = names.find((name) => !/^[\w@+./-]+$/.test(name));
  if (odd !== undefined) throw new Error(`${odd} has a name that the pack's command cannot read`);
  // First, so that what an interruption leaves is known for a pack.
  write('files/id.txt', `${hashOf(tree)}\n`);
  for (const name of names) write(`files/${name}.gz`, gzipSync(tree.get(name)!.data, { level: 9 }));
  write('files/list.txt', names.map((name) => `${tree.get(name)!.executable ? 'x' : '-'} ${name}\n`).join(''));
  write('run', readFileSync(path.join(root, 'bench/pack/box/run.sh')), true);
  write('README.md', readFileSync(path.join(root, 'bench/pack/box/README.md')));
  return { folder, sizes, notes };
}

/** Of names and contents, in hexadecimal: a pack with others is unpacked beside it. */
function hashOf(tree: ReadonlyMap<string, TreeFile>): string {
  const hash = createHash('sha256');
  for (const [name, { data }] of [...tree].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`${name}\0${data.length}\0`).update(data);
  return hash.digest('hex').slice(0, 16);
}

/** An empty folder, or an earlier pack without all but its results. Throws for a folder with anything else in it. */
export function makeRoom(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const names = readdirSync(folder);
  if (names.length > 0 && !existsSync(path.join(folder, 'files/id.txt')))
    throw new Error(`${folder} holds something else than a pack; name a folder that is empty or not there`);
  for (const name of names) if (name !== 'results') rmSync(path.join(folder, name), { recursive: true, force: true });
}

/** Everything that the box unpacks, laid out like the checkout. */
async function collect(root: string): Promise<{ tree: Map<string, TreeFile>; notes: string[] }> {
  const tree = new Map<string, TreeFile>();
  const notes: string[] = [];
  const add = (name: string, file: string, executable = false): void =>
    void tree.set(name, { data: readFileSync(file), executable });

  const webgpu = path.dirname(createRequire(import.meta.url).resolve('webgpu'));
  const dawn = path.join(webgpu, 'dist/linux-x64/dawn.node');
  add('bin/node', process.execPath, true);
  for (const name of ['package.json', 'index.js', 'dist/linux-x64/dawn.node'])
    add(`node_modules/webgpu/${name}`, path.join(webgpu, name));

  const { files, order, absent } = sharedLibraries([process.execPath, dawn]);
  for (const [name, file] of files) add(name, file, true);
  tree.set('lib/x11/order.txt', { data: Buffer.from(`${order.join('\n')}\n`), executable: false });
  if (absent.length > 0) notes.push(`this machine has no ${absent.join(', ')}, so the pack carries none`);

  const archive = locateArchive();
  if ('reason' in archive) throw new Error(archive.reason);
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'limn-pack-'));
  try {
    add('lib/vulkan/libvulkan.so.1', unpackDriver(archive, path.join(scratch, 'driver')).loader, true);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  // The package is found by its entry, of which it has one for each way of asking; of the rest only the driver's archive is read.
  const chromium = path.resolve(archive.file, '../..');
  const about = path.join(chromium, 'package.json');
  const { exports } = JSON.parse(readFileSync(about, 'utf8')) as {
    readonly exports: { readonly '.': Readonly<Record<string, string | { readonly default: string }>> };
  };
  const entries = Object.values(exports['.']).flatMap((way) => (typeof way === 'string' ? [] : [way.default]));
  for (const file of [about, ...entries.map((entry) => path.join(chromium, entry)), archive.file])
    add(`node_modules/@sparticuz/chromium/${path.relative(chromium, file)}`, file);

  const { code, carried } = await bundleCode(root);
  for (const [name, data] of code) tree.set(name, { data, executable: false });
  for (const name of carried.flatMap((place) => filesAt(root, place))) add(name, path.join(root, name));
  return { tree, notes };
}

/** A file, or the files of a folder, by path below the root. */
function filesAt(root: string, place: string): string[] {
  const full = path.join(root, place);
  if (!statSync(full).isDirectory()) return [place];
  return readdirSync(full).flatMap((name) => filesAt(root, path.posix.join(place, name)));
}
