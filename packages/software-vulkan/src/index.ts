// Makes Dawn in Node find SwiftShader, a software Vulkan driver, on x64 Linux, from an npm package and without root.
import os from 'node:os';
import { isMainThread } from 'node:worker_threads';
import { locateArchive } from './archive.js';
import { unpackDriver, type DriverFiles } from './unpack.js';

export { locateArchive, type Archive } from './archive.js';
export { unpackDriver, type DriverFiles } from './unpack.js';

/** Whether the driver is in place, and where; or why it is not. */
export type SoftwareVulkanReport =
  | { readonly available: true; readonly version: string; readonly loader: string; readonly manifest: string }
  | { readonly available: false; readonly reason: string };

/** Where the driver goes. */
export interface SoftwareVulkanOptions {
  /** Where to unpack; a folder of this user below the system's temporary folder by default. */
  readonly cacheDir?: string;
}

/** Values from glibc's and musl's dlfcn.h on x86-64; Node exports the first two only. */
const RTLD_NOW = 2;
const RTLD_GLOBAL = 0x100;
const RTLD_NODELETE = 0x1000;

/** The variables by which a Vulkan loader finds drivers; newer loaders read the first, older ones the second. */
const variables = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const;

/**
 * Unpacks SwiftShader if needed, loads its Vulkan loader into this process, and points the loader at the driver while `use`
 * runs; the environment is then as before, so that child processes are not affected. Call it before the adapter is requested.
 */
export async function withSoftwareVulkan<T>(
  use: (report: SoftwareVulkanReport & { available: true }) => Promise<T>,
  options: SoftwareVulkanOptions = {},
): Promise<T | Extract<SoftwareVulkanReport, { available: false }>> {
  const report = prepareSoftwareVulkan(options);
  if (!report.available) return report;
  const before = variables.map((name) => process.env[name]);
  for (const name of variables) process.env[name] = report.manifest;
  try {
    return await use(report);
  } finally {
    variables.forEach((name, i) => {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    });
  }
}

/** Unpacks the driver and loads its Vulkan loader, without touching the environment. */
export function prepareSoftwareVulkan(options: SoftwareVulkanOptions = {}): SoftwareVulkanReport {
  const refuse = (reason: string): SoftwareVulkanReport => ({ available: false, reason });
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return refuse(`SwiftShader is packaged for linux-x64 only, and this is ${process.platform}-${process.arch}`);
  if (!isMainThread)
    return refuse(
      'a worker thread cannot set the environment that the Vulkan loader reads: open the device in the main thread',
    );
  const archive = locateArchive();
  if ('reason' in archive) return refuse(archive.reason);
  let files: DriverFiles;
  try {
    files = unpackDriver(archive, options.cacheDir);
  } catch (error) {
    return refuse(`SwiftShader could not be unpacked: ${error instanceof Error ? error.message : String(error)}`);
  }
  const problem = preload(files.loader);
  if (problem !== undefined) return refuse(`the Vulkan loader ${files.loader} did not load: ${problem}`);
  return { available: true, version: archive.version, loader: files.loader, manifest: files.manifest };
}

/** Loads a shared library that is no Node addon; Node then reports a missing registration, which means that it is loaded. */
function preload(file: string): string | undefined {
  const flags =
    (os.constants.dlopen?.RTLD_NOW ?? RTLD_NOW) | (os.constants.dlopen?.RTLD_GLOBAL ?? RTLD_GLOBAL) | RTLD_NODELETE;
  try {
    process.dlopen({ exports: {} }, file, flags);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return message.includes('self-register') ? undefined : message;
  }
  return undefined;
}
