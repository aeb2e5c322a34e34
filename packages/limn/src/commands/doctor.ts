// `limn doctor`: what this machine offers, one kernel checked against the CPU, and a verdict.
import { formatBytes, LimnError, type Gpu } from '@limn/gpu';
import { fromData, matmul, read } from '@limn/tensor';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice, type OpenDevice } from '../device.js';
import { examineModel, sizeNames, type ModelExamination } from '../model-examination.js';
import { describeKernels, kernelsLine, type KernelsInForce } from '../kernels-in-force.js';
import { isSoftware } from '../software-adapter.js';
import { integerOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { version } from '../version.js';
import { weightForm, withWeightsOption, type WeightOptions } from '../weight-options.js';

interface DoctorOptions extends SharedOptions, Pick<WeightOptions, 'weights' | 'memoryBudget'> {
  readonly model?: string;
  readonly promptTokens?: number;
  readonly newTokens?: number;
}

/** Oldest Node that limn is tested on. */
const NODE_NEEDED = [20, 19] as const;

/** Below this a small model takes minutes where a GPU takes seconds; measured at open, in floating-point operations per second. */
const SLOW_BELOW = 5e10;

/** Largest |GPU − CPU| of the self-test, in units of the rounding bound √k·2⁻²⁴·Σ|a·b|; the tests hold every kernel to 1. */
const SELF_TEST_BOUND = 4;

/** What one matrix product on the device says about its arithmetic. */
export interface SelfTest {
  readonly kernel: string;
  readonly shape: string;
  /** Largest error in units of the rounding bound. */
  readonly worst: number;
  readonly passed: boolean;
}

/** What `limn doctor` found out about this machine. */
export interface Diagnosis {
  readonly limn: string;
  readonly node: string;
  readonly platform: string;
  readonly nodeSupported: boolean;
  readonly adapter: Gpu['capabilities']['adapter'];
  readonly source: string;
  readonly software: boolean;
  readonly features: { readonly f16: boolean; readonly subgroups: boolean; readonly timestamps: boolean };
  readonly limits: Readonly<Record<string, number>>;
  readonly flopsPerSecond: number;
  readonly selfTest: SelfTest;
  readonly verdict: 'ready' | 'slow' | 'broken';
}

export function addDoctorCommand(program: Command, context: CommandContext): void {
  withWeightsOption(withSharedOptions(program.command('doctor')))
    .description('say what this machine offers and whether limn works on it')
    .option(
      '--model <name>',
      `a folder or pocket: what the model takes, planned and measured, at WebGPU's default limits. ${sizeNames.join(', ')} stand for random weights of that shape`,
    )
    .option('--prompt-tokens <n>', 'length of the prompt that is read', integerOption('--prompt-tokens', 1))
    .option('--new-tokens <n>', 'how many tokens follow it', integerOption('--new-tokens', 1))
    .action(async (options: DoctorOptions) => {
      using device = await openDevice(context, {
        kernels: 'as is',
        ...(options.model === undefined ? {} : { limits: 'default' }),
      });
      const found = { ...(await diagnose(device.gpu)), kernels: await describeKernels(device.gpu, context.env) };
      report(found, context);
      const model = options.model === undefined ? undefined : await examine(options.model, options, device, context);
      context.console.result({ ok: true, command: 'doctor', ...found, ...(model ? { model } : {}) });
    });
}

/** Everything doctor knows, as a value. */
export async function diagnose(gpu: Gpu): Promise<Diagnosis> {
  const { adapter, source, f16, subgroups, timestamps, limits, flopsPerSecond } = gpu.capabilities;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const nodeSupported = major > NODE_NEEDED[0] || (major === NODE_NEEDED[0] && minor >= NODE_NEEDED[1]);
  const selfTest = await testMatmul(gpu);
  const software = isSoftware(gpu.capabilities);
  const slow = software || flopsPerSecond < SLOW_BELOW;
  return {
    limn: version,
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    nodeSupported,
    adapter,
    source,
    software,
    features: { f16, subgroups, timestamps },
    limits,
    flopsPerSecond,
    selfTest,
    verdict: selfTest.passed && nodeSupported ? (slow ? 'slow' : 'ready') : 'broken',
  };
}

/** C = A·B with sides that fill no tile, against float64 on the CPU. */
async function testMatmul(gpu: Gpu): Promise<SelfTest> {
  const [m, k, n] = [37, 53, 29];
  const a = Float32Array.from({ length: m * k }, (_, i) => Math.sin(i + 1));
  const b = Float32Array.from({ length: k * n }, (_, i) => Math.cos(2 * i + 1));
  using step = gpu.step({ label: 'doctor' });
  const product = await read(step, matmul(step, fromData(step, a, [m, k]), fromData(step, b, [k, n])));
  let worst = 0;
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let exact = 0;
      let magnitude = 0;
      for (let i = 0; i < k; i++) {
        const term = (a[row * k + i] as number) * (b[i * n + column] as number);
        exact += term;
        magnitude += Math.abs(term);
      }
      const error = Math.abs((product[row * n + column] as number) - exact);
      const relative = error / (Math.sqrt(k) * 2 ** -24 * magnitude);
      if (!(relative <= worst)) worst = relative;
    }
  }
  return { kernel: 'matmul', shape: `${m}×${k} · ${k}×${n}`, worst, passed: worst <= SELF_TEST_BOUND };
}

function report(found: Diagnosis & { readonly kernels: KernelsInForce }, { console }: CommandContext): void {
  const yes = (value: boolean): string => (value ? 'yes' : 'no');
  const limit = (name: string): string => formatBytes(found.limits[name] ?? 0);
  const name = found.adapter.description || found.adapter.device || found.adapter.vendor || 'unnamed';
  const lines: [string, string][] = [
    ['limn', found.limn],
    [
      'Node',
      `${found.node} on ${found.platform}${found.nodeSupported ? '' : ` (needs ${NODE_NEEDED.join('.')} or later)`}`,
    ],
    ['adapter', `${name} (${found.source})`],
    ['software', found.software ? 'yes: the CPU stands in for a GPU' : 'no'],
    ['speed', `${(found.flopsPerSecond / 1e9).toFixed(1)} GFLOPS, measured by a short matrix product`],
    ['f16 arithmetic', `${yes(found.features.f16)} (f16 storage works everywhere)`],
    ['subgroups', yes(found.features.subgroups)],
    ['GPU timing', yes(found.features.timestamps)],
    ['kernels', kernelsLine(found.kernels)],
    ['largest buffer', `${limit('maxBufferSize')}, largest binding ${limit('maxStorageBufferBindingSize')}`],
    [
      'self-test',
      `${found.selfTest.kernel} ${found.selfTest.shape}: ${found.selfTest.passed ? 'correct' : 'WRONG'} (largest error ${found.selfTest.worst.toFixed(2)} of the rounding bound)`,
    ],
  ];
  for (const [label, value] of lines) console.say(`${label.padEnd(15)} ${value}`);
  console.say();
  if (found.verdict !== 'broken') console.say(verdictLine(found));
  if (found.verdict === 'broken') {
    throw new LimnError('gpu/self-test', verdictLine(found), { details: { ...found } });
  }
}

/** Says what a model takes. */
async function examine(
  name: string,
  options: DoctorOptions,
  { gpu }: OpenDevice,
  { console, signal }: CommandContext,
): Promise<ModelExamination> {
  console.say();
  return examineModel(gpu, name, {
    ...options,
    ...weightForm(options),
    signal,
    onProgress: console.progress,
    onNotice: (line) => console.note(line),
    onLine: (label, text) => console.say(`${label.padEnd(15)} ${text}`),
  });
}

function verdictLine({ verdict, selfTest, nodeSupported }: Diagnosis): string {
  if (verdict === 'ready') return 'Everything works. Next: limn demo';
  if (verdict === 'slow')
    return 'Everything works, slowly: small models run in seconds, GPT-2 in minutes. Next: limn demo';
  if (!nodeSupported) return `This Node is too old; install ${NODE_NEEDED.join('.')} or later.`;
  return `The adapter computes ${selfTest.kernel} wrongly. Update its driver, or set LIMN_ADAPTER=swiftshader to use the CPU.`;
}
