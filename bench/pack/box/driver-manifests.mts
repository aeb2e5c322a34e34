// Where Vulkan drivers say that they are there: the manifests that a loader looks for, and those in places where it does not look.
import path from 'node:path';

/** What is read of a machine. */
export interface Files {
  /** Names in a folder; none when it is not there. */
  list(folder: string): readonly string[];
  /** A file's text; undefined when it cannot be read. */
  read(file: string): string | undefined;
  exists(file: string): boolean;
}

/** One driver's manifest. */
export interface DriverManifest {
  readonly file: string;
  /** As the manifest has it: a name that the dynamic loader looks up, or a path from the manifest's folder. */
  readonly library: string;
  /** Whether a Vulkan loader looks there by itself. */
  readonly usual: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The loader's search path, by its documentation: configuration before data, the user's before the system's. */
export function usualFolders(env: Environment): string[] {
  const home = env['HOME'];
  const split = (value: string | undefined, otherwise: string): string[] =>
    (value || otherwise).split(':').filter(Boolean);
  const roots = [
    env['XDG_CONFIG_HOME'] || (home && path.join(home, '.config')),
    ...split(env['XDG_CONFIG_DIRS'], '/etc/xdg'),
    '/etc',
    env['XDG_DATA_HOME'] || (home && path.join(home, '.local/share')),
    ...split(env['XDG_DATA_DIRS'], '/usr/local/share:/usr/share'),
  ];
  return roots.flatMap((root) => (root ? [path.join(root, 'vulkan/icd.d')] : []));
}

/** Where containers, hosts' drivers mounted into them, and distributions with their own tree put manifests. */
export const UNUSUAL_FOLDERS: readonly string[] = [
  '/usr/local/nvidia/share/vulkan/icd.d',
  '/usr/local/nvidia/vulkan/icd.d',
  '/usr/local/nvidia/icd.d',
  '/usr/share/glvnd/vulkan/icd.d',
  '/usr/local/etc/vulkan/icd.d',
  '/run/nvidia/driver/usr/share/vulkan/icd.d',
  '/run/nvidia/driver/etc/vulkan/icd.d',
  '/run/opengl-driver/share/vulkan/icd.d',
  '/opt/nvidia/share/vulkan/icd.d',
  '/opt/amdgpu/share/vulkan/icd.d',
  '/opt/amdgpu-pro/etc/vulkan/icd.d',
  '/usr/lib/x86_64-linux-gnu/GL/vulkan/icd.d',
];

/** Every manifest of a driver, those that a loader finds by itself first. */
export function driverManifests(files: Files, env: Environment): DriverManifest[] {
  const usual = usualFolders(env);
  const unusual = UNUSUAL_FOLDERS.filter((folder) => !usual.includes(folder));
  return [
    ...usual.map((folder) => ({ folder, usual: true })),
    ...unusual.map((folder) => ({ folder, usual: false })),
  ].flatMap(({ folder, usual }) =>
    [...files.list(folder)]
      .filter((name) => name.endsWith('.json'))
      .sort()
      .flatMap((name) => {
        const file = path.join(folder, name);
        const library = libraryOf(files.read(file));
        return library === undefined ? [] : [{ file, library, usual }];
      }),
  );
}

/** `ICD.library_path` of a manifest; undefined when it is none. */
export function libraryOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    const { ICD } = JSON.parse(text) as { ICD?: { library_path?: unknown } };
    return typeof ICD?.library_path === 'string' ? ICD.library_path : undefined;
  } catch {
    return undefined;
  }
}

/** What to hand to the dynamic loader for a manifest's library. */
export const libraryPath = ({ file, library }: DriverManifest): string =>
  library.includes('/') ? path.resolve(path.dirname(file), library) : library;

const LIBRARY_FOLDERS: readonly string[] = [
  '/usr/local/nvidia/lib64',
  '/usr/local/nvidia/lib',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib64',
  '/usr/lib64/nvidia',
  '/usr/lib/x86_64-linux-gnu/nvidia/current',
  '/run/nvidia/driver/usr/lib/x86_64-linux-gnu',
  '/run/opengl-driver/lib',
  '/usr/lib',
];

/** NVIDIA's driver answers Vulkan through either of these; the second needs nothing of X11. */
const NVIDIA_LIBRARIES: readonly string[] = ['libGLX_nvidia.so.0', 'libEGL_nvidia.so.0'];

/** NVIDIA's libraries that are there, by path, whether or not a manifest names them. */
export function nvidiaLibraries(files: Files): string[] {
  return NVIDIA_LIBRARIES.flatMap((name) => {
    const folder = LIBRARY_FOLDERS.find((folder) => files.exists(path.join(folder, name)));
    return folder === undefined ? [] : [path.join(folder, name)];
  });
}

/** A manifest for a library that has none. The version is only what the loader asks instances for; the driver's devices say their own. */
export const manifestFor = (library: string): string =>
  `${JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: library, api_version: '1.3.0' } })}\n`;
