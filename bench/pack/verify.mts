// Shows that a pack runs in empty root folders: without any driver, and with one that is there in different ways.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Room, staticBusybox, whyNoRooms, type RunIn } from './room.mjs';

/** What stands for a GPU's driver. */
const DRIVER = '/usr/lib/x86_64-linux-gnu/libvulkan_lvp.so';
const LOADER = '/usr/lib/x86_64-linux-gnu/libvulkan.so.1';

/** One furnished room and what the pack must say in it. */
interface Case {
  readonly name: string;
  /** Whether the shell is static, so that nothing of glibc is there. */
  readonly bare?: boolean;
  readonly furnish?: (room: Room) => void;
  readonly how: RunIn;
  /** In what doctor prints. */
  readonly expected: readonly RegExp[];
  /** Where results must be, in the room. */
  readonly results: string;
}

const manifest = `${JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: path.basename(DRIVER), api_version: '1.3.0' } })}\n`;
const onDriver = /adapter +llvmpipe.*LIMN_ADAPTER=system gave system/;
const onSwiftShader = /adapter +SwiftShader.*LIMN_ADAPTER=auto gave swiftshader/;

const CASES: readonly Case[] = [
  {
    name: 'nothing but a static shell: glibc, loader and SwiftShader are the pack’s',
    bare: true,
    how: { env: { LIMN_ADAPTER: 'auto' } },
    expected: [/libraries of the pack, glibc too/, /Vulkan loader +carried/, /driver +gives no adapter/, onSwiftShader],
    results: 'pack/results',
  },
  {
    name: 'a shell with glibc: C++’s libraries, loader and SwiftShader are the pack’s',
    how: { env: { LIMN_ADAPTER: 'auto' } },
    expected: [/libraries glibc of the machine/, /Vulkan loader +carried/, onSwiftShader],
    results: 'pack/results',
  },
  {
    name: 'a driver, no loader',
    furnish: (room) => {
      room.add(DRIVER);
      room.write('/usr/share/vulkan/icd.d/lvp_icd.json', manifest);
    },
    how: { env: { LIMN_ADAPTER: 'system' } },
    expected: [/libraries of the machine/, /Vulkan loader +carried/, onDriver],
    results: 'pack/results',
  },
  {
    name: 'a driver and a loader, the manifest where containers have NVIDIA’s, the pack’s folder not to be written to',
    furnish: (room) => {
      room.add(DRIVER);
      room.add(LOADER);
      room.write('/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json', manifest);
    },
    how: { env: { LIMN_ADAPTER: 'system' }, nobody: true },
    expected: [
      /Vulkan loader +system/,
      /tried +VK_DRIVER_FILES=\/usr\/local\/nvidia\/share.*: found llvmpipe/,
      onDriver,
    ],
    results: 'home/results',
  },
  {
    name: 'a driver under the name of NVIDIA’s, without manifest, loader and X11’s libraries',
    furnish: (room) =>
      room.add(DRIVER, '/usr/local/nvidia/lib64/libGLX_nvidia.so.0', /^lib(X11|Xau|Xdmcp|bsd|md|xcb)\.so/),
    how: { env: { LIMN_ADAPTER: 'system' } },
    expected: [
      /libxcb\.so\.1.* from the pack/,
      /made for \/usr\/local\/nvidia\/lib64\/libGLX_nvidia\.so\.0\): found llvmpipe/,
      onDriver,
    ],
    results: 'pack/results',
  },
];

/**
 * Runs doctor, some kernel tests (or every one) and a bench in every room and prints what came of it; false when anything was not
 * as it must be.
 */
export function verifyPack(folder: string, everyTest = false): boolean {
  const reason = whyNoRooms();
  if (reason !== undefined) {
    console.log(`not verified: ${reason}`);
    return true;
  }
  const busybox = staticBusybox();
  return CASES.map((each) => {
    if (each.bare && busybox === undefined)
      return skipped(each, 'no static busybox is here (LIMN_BUSYBOX=… names one; Debian: busybox-static)');
    if (each.furnish && ![DRIVER, LOADER].every((file) => existsSync(file)))
      return skipped(each, 'Mesa’s lavapipe is not installed here');
    return verifyIn(each, folder, busybox, everyTest);
  }).every(Boolean);
}

function skipped({ name }: Case, reason: string): true {
  console.log(`- ${name}: skipped, ${reason}`);
  return true;
}

function verifyIn(
  { name, bare, furnish, how, expected, results }: Case,
  folder: string,
  busybox: string | undefined,
  everyTest: boolean,
): boolean {
  const room = new Room();
  const start = performance.now();
  try {
    room.addShell(bare ? busybox : undefined);
    furnish?.(room);
    room.addPack(folder);
    const doctor = room.run(['doctor'], how);
    const tests = room.run(['tests', ...(everyTest ? [] : ['ops/gelu', 'gpu/test/step'])], how);
    const bench = room.run(['bench', '--only', 'kernels', '--filter', 'softmax', '--rounds', '1'], how);
    // Without a driver, nothing passes for a run on one.
    const refused = furnish ? undefined : room.run(['tests'], { env: { LIMN_ADAPTER: 'system' } });
    const problems = [
      ...[doctor, tests, bench].flatMap(({ code, output }, i) =>
        code === 0 ? [] : [`./run ${['doctor', 'tests', 'bench'][i]} ended with ${code}:\n${output}`],
      ),
      ...expected
        .filter((words) => !words.test(doctor.output))
        .map((words) => `doctor does not say ${words.source}:\n${doctor.output}`),
      ...(/[1-9]\d* passed, 0 failed, \d+ skipped/.test(tests.output)
        ? []
        : [`the tests' last line is missing:\n${tests.output}`]),
      ...(/^softmax .* (µs|ms|s) /m.test(bench.output) ? [] : [`the bench gave no figure:\n${bench.output}`]),
      ...(refused && !(refused.code === 1 && /no GPU adapter: LIMN_ADAPTER=system/.test(refused.output))
        ? [`LIMN_ADAPTER=system was not refused (${refused.code}):\n${refused.output}`]
        : []),
      ...missing(path.join(room.root, results)),
    ];
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    console.log(`${problems.length === 0 ? '✓' : '✗'} ${name} (${seconds} s)`);
    for (const line of doctor.output.split('\n').filter((line) => /^(Node|Vulkan loader|tried|adapter) /.test(line)))
      console.log(`    ${line}`);
    for (const line of tests.output.split('\n').filter((line) => /\d+ passed, \d+ failed/.test(line)))
      console.log(`    tests              ${line}`);
    problems.forEach((problem) => console.log(problem.replaceAll(/^/gm, '    ')));
    return problems.length === 0;
  } finally {
    room.dispose();
  }
}

/** What ought to be among the results and is not. */
function missing(folder: string): string[] {
  const there = existsSync(folder) ? (readdirSync(folder, { recursive: true }) as string[]) : [];
  return ['doctor.json', 'doctor.log', 'tests.log', 'bench.log', 'kernel-tests.json']
    .filter((name) => !there.some((file) => path.basename(file) === name))
    .map((name) => `${name} is not in ${folder}`);
}
