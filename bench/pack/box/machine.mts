// The machine that the pack runs on, as finding a driver sees it.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { driverManifests, manifestFor, nvidiaLibraries, type Files } from './driver-manifests.mjs';
import type { Machine, Seen } from './find-driver.mjs';
import { load } from './preload.mjs';

/** The unpacked tree, and the folder for results: the pack's command says both. */
export const tree = process.env['LIMN_TREE'] ?? '';
export const results = process.env['LIMN_RESULTS'] ?? '';

const quietly = <T,>(read: () => T, otherwise: T): T => {
  try {
    return read();
  } catch {
    return otherwise;
  }
};

export const files: Files = {
  list: (folder) => quietly(() => readdirSync(folder), []),
  read: (file) => quietly(() => readFileSync(file, 'utf8'), undefined),
  exists: existsSync,
};

/** Device files of GPUs: NVIDIA's, any kernel driver's, Windows' for Linux. */
export function deviceFiles(): string[] {
  const own = files.list('/dev').filter((name) => /^(nvidia(\d+|ctl)|dxg|kfd)$/.test(name));
  const rendering = files.list('/dev/dri').filter((name) => name.startsWith('render'));
  return [...own.map((name) => `/dev/${name}`), ...rendering.map((name) => `/dev/dri/${name}`)];
}

/** The instances that were asked: Dawn ends the process when one is collected. */
const asked: GPU[] = [];

async function probe(): Promise<Seen | undefined> {
  const { create } = await import('webgpu');
  const gpu = create([]);
  asked.push(gpu);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) return undefined;
  const { description, device, isFallbackAdapter } = adapter.info;
  const text = `${device} ${description}`.trim();
  return { description: text, isSoftware: isFallbackAdapter || /llvmpipe|swiftshader|softpipe/i.test(text) };
}

export function machine(): Machine {
  const x11 = path.join(tree, 'lib/x11');
  const order = files.read(path.join(x11, 'order.txt')) ?? '';
  return {
    env: process.env,
    probe,
    load,
    carried: {
      vulkan: path.join(tree, 'lib/vulkan/libvulkan.so.1'),
      x11: order
        .split('\n')
        .filter(Boolean)
        .map((name) => path.join(x11, name)),
    },
    manifests: driverManifests(files, process.env),
    nvidia: nvidiaLibraries(files),
    hasDevice: deviceFiles().length > 0,
    makeManifest: (library) => {
      const file = path.join(results, 'drivers', `${path.basename(library)}.json`);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, manifestFor(library));
      return file;
    },
  };
}
