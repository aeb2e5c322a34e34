// How the pack finds a Vulkan driver on a machine: manifests by place, and what is tried in which order.
import { describe, expect, it } from 'vitest';
import {
  driverManifests,
  libraryOf,
  libraryPath,
  manifestFor,
  nvidiaLibraries,
  usualFolders,
  type Files,
} from '../pack/box/driver-manifests.mjs';
import { findDriver, type Machine, type Seen } from '../pack/box/find-driver.mjs';

/** A machine's files, by path. */
const machineWith = (files: Readonly<Record<string, string>>): Files => ({
  list: (folder) =>
    Object.keys(files)
      .filter((file) => file.startsWith(`${folder}/`) && !file.slice(folder.length + 1).includes('/'))
      .map((file) => file.slice(folder.length + 1)),
  read: (file) => files[file],
  exists: (file) => file in files,
});

const nvidia = '/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json';

describe('manifests', () => {
  it('are looked for where a loader does, configuration before data, and where it does not', () => {
    const found = driverManifests(
      machineWith({
        [nvidia]: manifestFor('libGLX_nvidia.so.0'),
        '/usr/share/vulkan/icd.d/radeon_icd.x86_64.json': manifestFor('/usr/lib64/libvulkan_radeon.so'),
        '/etc/vulkan/icd.d/own.json': manifestFor('../libown.so'),
        '/etc/vulkan/icd.d/broken.json': '{',
        '/etc/vulkan/icd.d/README': manifestFor('libnone.so'),
      }),
      {},
    );
    expect(found).toEqual([
      { file: '/etc/vulkan/icd.d/own.json', library: '../libown.so', usual: true },
      {
        file: '/usr/share/vulkan/icd.d/radeon_icd.x86_64.json',
        library: '/usr/lib64/libvulkan_radeon.so',
        usual: true,
      },
      { file: nvidia, library: 'libGLX_nvidia.so.0', usual: false },
    ]);
    expect(found.map(libraryPath)).toEqual([
      '/etc/vulkan/libown.so',
      '/usr/lib64/libvulkan_radeon.so',
      'libGLX_nvidia.so.0',
    ]);
  });

  it('follow the XDG variables, whose folders are then usual', () => {
    const env = { HOME: '/home/a', XDG_DATA_DIRS: '/usr/local/nvidia/share:/usr/share' };
    expect(usualFolders(env)).toEqual([
      '/home/a/.config/vulkan/icd.d',
      '/etc/xdg/vulkan/icd.d',
      '/etc/vulkan/icd.d',
      '/home/a/.local/share/vulkan/icd.d',
      '/usr/local/nvidia/share/vulkan/icd.d',
      '/usr/share/vulkan/icd.d',
    ]);
    expect(driverManifests(machineWith({ [nvidia]: manifestFor('lib.so') }), env)).toEqual([
      { file: nvidia, library: 'lib.so', usual: true },
    ]);
  });

  it('are none without a library', () => {
    expect(libraryOf(undefined)).toBeUndefined();
    expect(libraryOf('{"ICD":{}}')).toBeUndefined();
    expect(libraryOf('{"layer":{"library_path":"x"}}')).toBeUndefined();
  });

  it("NVIDIA's libraries are known without one, the first place of each", () => {
    const files = machineWith({
      '/usr/lib64/libEGL_nvidia.so.0': '',
      '/usr/local/nvidia/lib64/libGLX_nvidia.so.0': '',
      '/usr/lib/x86_64-linux-gnu/libGLX_nvidia.so.0': '',
    });
    expect(nvidiaLibraries(files)).toEqual([
      '/usr/local/nvidia/lib64/libGLX_nvidia.so.0',
      '/usr/lib64/libEGL_nvidia.so.0',
    ]);
  });
});

describe('finding a driver', () => {
  const gpu: Seen = { description: 'a GPU', isSoftware: false };
  const cpu: Seen = { description: 'llvmpipe', isSoftware: true };

  /** A machine on which `probe` answers by what is loaded and named; `loads` are the libraries that load. */
  function simulated(
    answer: (state: { loaded: readonly string[]; drivers: string | undefined }) => Seen | undefined,
    { loads = [], ...rest }: Partial<Omit<Machine, 'probe' | 'load'>> & { loads?: readonly string[] },
  ): Machine & { readonly loaded: string[] } {
    const loaded: string[] = [];
    const env: Record<string, string | undefined> = rest.env ?? {};
    return {
      carried: { vulkan: '/pack/libvulkan.so.1', x11: ['/pack/libX11.so.6', '/pack/libXext.so.6'] },
      manifests: [],
      nvidia: [],
      hasDevice: true,
      makeManifest: (library) => `/results/${library.slice(1)}.json`,
      ...rest,
      env,
      loaded,
      load: (library) => {
        if (!loads.includes(library) && !library.startsWith('/pack/')) return 'no such file';
        loaded.push(library);
        return undefined;
      },
      probe: async () => answer({ loaded, drivers: env['VK_DRIVER_FILES'] }),
    };
  }

  it("the machine's loader comes first, and nothing else is touched where it finds a GPU", async () => {
    const machine = simulated(() => gpu, {
      loads: ['libvulkan.so.1'],
      manifests: [{ file: nvidia, library: 'x', usual: false }],
    });
    expect(await findDriver(machine)).toEqual({ loader: 'system', adapter: gpu, steps: [] });
    expect(machine.loaded).toEqual(['libvulkan.so.1']);
    expect(machine.env).toEqual({});
  });

  it('the carried loader stands in for a missing one', async () => {
    const machine = simulated(({ loaded }) => (loaded.includes('/pack/libvulkan.so.1') ? gpu : undefined), {});
    expect(await findDriver(machine)).toMatchObject({ loader: 'carried', adapter: gpu });
  });

  it('a driver that the environment names is taken as it is', async () => {
    const machine = simulated(() => undefined, {
      env: { VK_ICD_FILENAMES: '/mine.json' },
      nvidia: ['/usr/lib/libGLX_nvidia.so.0'],
    });
    const found = await findDriver(machine);
    expect(found).toMatchObject({ adapter: undefined, steps: ['VK_ICD_FILENAMES names the drivers: /mine.json'] });
    expect(machine.env).toEqual({ VK_ICD_FILENAMES: '/mine.json' });
  });

  it('a software driver is what there is without a device, and is looked beyond with one', async () => {
    const manifests = [{ file: nvidia, library: 'x', usual: false }];
    const answer = ({ drivers }: { drivers: string | undefined }): Seen => (drivers === nvidia ? gpu : cpu);
    const without = simulated(answer, { hasDevice: false, manifests, loads: ['libvulkan.so.1'] });
    expect(await findDriver(without)).toMatchObject({ adapter: cpu, steps: [] });
    const withDevice = simulated(answer, { manifests, loads: ['libvulkan.so.1', 'libX11.so.6', 'libXext.so.6'] });
    expect(await findDriver(withDevice)).toMatchObject({
      adapter: gpu,
      steps: [expect.stringContaining('found a GPU')],
    });
    expect(withDevice.env).toEqual({ VK_DRIVER_FILES: nvidia, VK_ICD_FILENAMES: nvidia });
  });

  it('X11’s libraries are loaded where the machine has none, one after those that it needs', async () => {
    const machine = simulated(({ loaded }) => (loaded.includes('/pack/libXext.so.6') ? gpu : undefined), {
      loads: ['libvulkan.so.1', 'libX11.so.6'],
    });
    expect(await findDriver(machine)).toMatchObject({
      adapter: gpu,
      steps: ['libXext.so.6 from the pack: found a GPU'],
    });
    expect(machine.loaded).toEqual(['libvulkan.so.1', 'libX11.so.6', '/pack/libXext.so.6']);
  });

  it('a manifest is made for a driver without one, and what was named in vain is taken back', async () => {
    const machine = simulated(({ drivers }) => (drivers === '/results/b.json' ? gpu : undefined), {
      loads: ['libvulkan.so.1'],
      nvidia: ['/a', '/b'],
    });
    const { adapter, steps } = await findDriver(machine);
    expect(adapter).toBe(gpu);
    expect(steps.slice(1)).toEqual([
      'VK_DRIVER_FILES=/results/a.json (made for /a): nothing more found',
      'VK_DRIVER_FILES=/results/b.json (made for /b): found a GPU',
    ]);
    const nothing = simulated(() => undefined, { loads: ['libvulkan.so.1'], nvidia: ['/a'] });
    expect((await findDriver(nothing)).adapter).toBeUndefined();
    expect(nothing.env).toEqual({});
  });
});
