// Compute pipelines, compiled once per program; a compile error names the .wgsl file and line.
import type { Counters } from './counters.js';
import { LimnError, ShaderError } from './errors.js';
import type { Check, Health } from './health.js';
import type { Program } from './program.js';
import { joinSource, type SourceText } from './source-text.js';

/** A compiled program. */
export interface Pipeline {
  readonly gpuPipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** Pipelines with equal layouts share it; bind groups are cached under it. */
  readonly layoutKey: string;
  /** Failure of the compilation, known after the first await. */
  readonly check: Check;
  /** The uniform block's size in bytes, 0 without parameters. */
  readonly uniformBytes: number;
}

/** Binding flag of compute shaders (GPUShaderStage.COMPUTE). */
const COMPUTE = 4;

/** Size of `struct Params`: four bytes a field, padded to 16. */
export function uniformSize(fields: number): number {
  return Math.ceil(fields / 4) * 16;
}

/** The pipelines of one device. Few and small, those that compiled are kept until the device goes. */
export class PipelineCache {
  readonly #layouts = new Map<string, { group: GPUBindGroupLayout; pipeline: GPUPipelineLayout }>();
  readonly #pipelines = new Map<number, Pipeline>();

  constructor(
    readonly device: GPUDevice,
    readonly health: Health,
    readonly counters: Counters,
  ) {}

  get(program: Program): Pipeline {
    const known = this.#pipelines.get(program.id);
    if (known) return known;
    const made = this.#create(program);
    this.#pipelines.set(program.id, made);
    // One that failed is tried again when it is next asked for: the driver may only have been short of memory.
    void made.check.then((error) => {
      if (!error || this.#pipelines.get(program.id) !== made) return;
      this.#pipelines.delete(program.id);
      this.#layouts.delete(made.layoutKey);
    });
    return made;
  }

  /**
   * Makes a pipeline that is not there yet in the driver's own time, so that several are made side by side.
   * @throws LimnError `gpu/bindings`; ShaderError
   */
  async compile(program: Program): Promise<void> {
    if (this.#pipelines.has(program.id)) return;
    const { layoutKey, source } = this.#prepare(program);
    let compiled: GPUShaderModule | undefined;
    const { value, check } = this.health.scoped(
      () => {
        const layout = this.#layout(layoutKey);
        compiled = this.device.createShaderModule({ code: source.code, label: program.shader.file });
        return { layout, module: compiled };
      },
      (error) => explainCompile(program, source, compiled, error),
    );
    const made = this.device
      .createComputePipelineAsync(descriptorOf(program, value.module, value.layout.pipeline))
      .then(
        (pipeline) => ({ pipeline }),
        async (error: Error) => ({ failure: await explainCompile(program, source, compiled, error) }),
      );
    const [error, result] = await Promise.all([check, made]);
    if (error) this.#layouts.delete(layoutKey);
    if (error || 'failure' in result)
      throw this.health.lostError ?? error ?? (result as { failure: ShaderError }).failure;
    // What ran in the meantime may have made its own.
    if (this.#pipelines.has(program.id)) return;
    this.counters.pipelinesCreated += 1;
    this.#pipelines.set(program.id, pipelineOf(program, result.pipeline, value.layout.group, layoutKey, check));
  }

  #create(program: Program): Pipeline {
    const { layoutKey, source } = this.#prepare(program);
    let compiled: GPUShaderModule | undefined;
    const { value, check } = this.health.scoped(
      () => {
        const layout = this.#layout(layoutKey);
        compiled = this.device.createShaderModule({ code: source.code, label: program.shader.file });
        const gpuPipeline = this.device.createComputePipeline(descriptorOf(program, compiled, layout.pipeline));
        return { gpuPipeline, group: layout.group };
      },
      (error) => explainCompile(program, source, compiled, error),
    );
    this.counters.pipelinesCreated += 1;
    return pipelineOf(program, value.gpuPipeline, value.group, layoutKey, check);
  }

  /** The text of a program and which layout it takes. */
  #prepare(program: Program): { readonly layoutKey: string; readonly source: SourceText } {
    const { shader } = program;
    const limit = this.device.limits.maxStorageBuffersPerShaderStage;
    if (shader.bindings.length > limit)
      throw new LimnError(
        'gpu/bindings',
        `kernel ${shader.name} binds ${shader.bindings.length} storage buffers; this device allows ${limit}`,
        {
          details: { kernel: shader.name, bindings: shader.bindings.length, limit },
        },
      );
    const layoutKey =
      shader.bindings.map((b) => (b.access === 'read' ? 'r' : 'w')).join('') + (shader.params.length > 0 ? 'u' : '');
    return { layoutKey, source: joinSource(program) };
  }

  #layout(key: string): { group: GPUBindGroupLayout; pipeline: GPUPipelineLayout } {
    let layout = this.#layouts.get(key);
    if (layout) return layout;
    const entries = [...key].map((kind, binding): GPUBindGroupLayoutEntry => {
      if (kind === 'u') return { binding, visibility: COMPUTE, buffer: { type: 'uniform', hasDynamicOffset: true } };
      return { binding, visibility: COMPUTE, buffer: { type: kind === 'r' ? 'read-only-storage' : 'storage' } };
    });
    const group = this.device.createBindGroupLayout({ entries, label: key });
    layout = { group, pipeline: this.device.createPipelineLayout({ bindGroupLayouts: [group], label: key }) };
    this.#layouts.set(key, layout);
    return layout;
  }
}

function descriptorOf(
  { shader, overrides, label }: Program,
  module: GPUShaderModule,
  layout: GPUPipelineLayout,
): GPUComputePipelineDescriptor {
  return { layout, compute: { module, entryPoint: shader.name, constants: overrides }, label };
}

function pipelineOf(
  { shader }: Program,
  gpuPipeline: GPUComputePipeline,
  layout: GPUBindGroupLayout,
  layoutKey: string,
  check: Check,
): Pipeline {
  return { gpuPipeline, layout, layoutKey, check, uniformBytes: uniformSize(shader.params.length) };
}

async function explainCompile(
  program: Program,
  source: SourceText,
  module: GPUShaderModule | undefined,
  error: Pick<Error, 'message'>,
): Promise<ShaderError> {
  const info = await module?.getCompilationInfo().catch(() => undefined);
  const first = info?.messages.find((m) => m.type === 'error');
  const { shader } = program;
  if (!first)
    return new ShaderError(`${shader.file}: kernel ${program.label} does not make a pipeline: ${error.message}`, {
      details: { kernel: shader.name, file: shader.file, program: program.label },
      cause: error,
    });
  const { file, line } = source.locate(first.lineNum);
  return new ShaderError(`${file}:${line}:${first.linePos}: ${first.message} (kernel ${program.label})`, {
    details: { kernel: shader.name, file, line, column: first.linePos, program: program.label, message: first.message },
    cause: error,
  });
}
