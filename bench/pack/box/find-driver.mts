// Makes a Vulkan driver found that the loader alone does not find: by a carried loader, carried X11 libraries, manifests in unusual places, or a manifest made for a driver without one.
import type { DriverManifest } from './driver-manifests.mjs';

/** What an adapter says of itself. */
export interface Seen {
  readonly description: string;
  readonly isSoftware: boolean;
}

/** The machine, as far as finding a driver needs it. */
export interface Machine {
  readonly env: Record<string, string | undefined>;
  /** The adapter that the Vulkan loader gives with the environment as it is now. */
  probe(): Promise<Seen | undefined>;
  /** Loads a library by name or path; why not, when it does not load. */
  load(library: string): string | undefined;
  /** Carried libraries, by path, each after those that it needs. */
  readonly carried: { readonly vulkan: string; readonly x11: readonly string[] };
  readonly manifests: readonly DriverManifest[];
  /** NVIDIA's libraries that are there, by path. */
  readonly nvidia: readonly string[];
  /** Whether a device file of a GPU is there. */
  readonly hasDevice: boolean;
  /** Writes a manifest for a driver's library; its path. */
  makeManifest(library: string): string;
}

/** What was found and done. */
export interface Found {
  readonly loader: 'system' | 'carried' | 'none';
  readonly adapter: Seen | undefined;
  /** What had to be done for it, and what was tried in vain, in order. */
  readonly steps: readonly string[];
}

/** By which a Vulkan loader is told its drivers; newer ones read the first. */
const VARIABLES = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const;

const base = (file: string): string => file.slice(file.lastIndexOf('/') + 1);

/** Finds the machine's driver, and leaves the process and its environment so that it is found again. A driver that the environment names is taken as it is. */
export async function findDriver(machine: Machine): Promise<Found> {
  const { env } = machine;
  const steps: string[] = [];
  let loader: Found['loader'] = 'system';
  if (machine.load('libvulkan.so.1') !== undefined) {
    const problem = machine.load(machine.carried.vulkan);
    if (problem !== undefined)
      return { loader: 'none', adapter: undefined, steps: [`the carried Vulkan loader: ${problem}`] };
    loader = 'carried';
  }
  const given = VARIABLES.find((name) => env[name]);
  const first = await machine.probe();
  if (given !== undefined) steps.push(`${given} names the drivers: ${env[given]}`);
  // A software driver is what there is where no device is.
  if (given !== undefined || (first && (!first.isSoftware || !machine.hasDevice)))
    return { loader, adapter: first, steps };

  const better = async (): Promise<Seen | undefined> => {
    const seen = await machine.probe();
    return seen && (!first || !seen.isSoftware) ? seen : undefined;
  };
  const loaded = machine.carried.x11.filter(
    (file) => machine.load(base(file)) !== undefined && machine.load(file) === undefined,
  );
  if (loaded.length > 0) {
    const adapter = await better();
    steps.push(`${loaded.map(base).join(', ')} from the pack: ${outcome(adapter)}`);
    if (adapter) return { loader, adapter, steps };
  }
  const name = async (files: readonly string[], why: string): Promise<Seen | undefined> => {
    for (const variable of VARIABLES) env[variable] = files.join(':');
    const adapter = await better();
    steps.push(`VK_DRIVER_FILES=${files.join(':')} (${why}): ${outcome(adapter)}`);
    if (!adapter) for (const variable of VARIABLES) delete env[variable];
    return adapter;
  };
  // A carried loader need not look where the system's would, so the usual places are named to it too.
  const silent = machine.manifests.filter(({ usual }) => !usual || loader === 'carried');
  if (silent.length > 0) {
    const adapter = await name(
      machine.manifests.map(({ file }) => file),
      'manifests that the loader does not look for',
    );
    if (adapter) return { loader, adapter, steps };
  }
  for (const library of machine.nvidia) {
    const adapter = await name([machine.makeManifest(library)], `made for ${library}`);
    if (adapter) return { loader, adapter, steps };
  }
  return { loader, adapter: first, steps };
}

const outcome = (adapter: Seen | undefined): string =>
  adapter ? `found ${adapter.description}` : 'nothing more found';
