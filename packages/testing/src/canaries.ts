// Sentinels behind every buffer that an op allocates: a store past the end lands on one of them and is found.
import type { Kernel, Step, Storage, Variant } from '@limn/gpu';

/** Elements behind each output. */
export const CANARY_COUNT = 256;
/** The bits of a canary: a NaN with a payload that no kernel computes. */
export const CANARY_BITS = 0x7fc0cafe;

/** Anything with memory and a number of elements; tensors are. */
export interface Readable {
  readonly storage: Storage;
  readonly size: number;
  readonly label?: string;
}

/** A step whose allocations carry canaries. */
export interface CanaryStep {
  /** The values of tensors as f32, after checking every canary of the step; throws naming the buffer and the place. */
  read(tensors: readonly Readable[]): Promise<Float32Array[]>;
  /** Names of the kernels dispatched so far, each once. */
  readonly kernels: ReadonlySet<string>;
}

/**
 * From here on `step.allocate` gives storages with CANARY_COUNT sentinels behind their last byte and sentinels inside, so
 * that an element nobody wrote reads as NaN. `variant` is forced on every dispatch whose op did not choose one.
 */
export function withCanaries(step: Step, variant: Variant = {}): CanaryStep {
  const guarded: { storage: Storage; bytes: number }[] = [];
  const kernels = new Set<string>();
  const allocate = step.allocate.bind(step);
  const upload = step.upload.bind(step);
  // Uploads allocate too; they come from the host and need no canaries.
  let uploading = false;
  const plainUpload: Step['upload'] = (data, label) => {
    uploading = true;
    try {
      return upload(data, label);
    } finally {
      uploading = false;
    }
  };
  step.upload = plainUpload;
  step.allocate = (bytes, label = 'values') => {
    if (uploading) return allocate(bytes, label);
    const whole = Math.ceil(bytes / 4) + CANARY_COUNT;
    const storage = plainUpload(new Uint32Array(whole).fill(CANARY_BITS), label);
    // Ops see the size they asked for; the true size returns before the step is planned.
    Object.defineProperty(storage, 'byteLength', { value: bytes, configurable: true });
    guarded.push({ storage, bytes });
    return storage;
  };
  const dispatch = step.dispatch.bind(step);
  step.dispatch = (kernel, bindings, uniforms, options = {}) => {
    kernels.add((kernel as Kernel).shader.name);
    dispatch(kernel, bindings, uniforms, { ...options, variant: { ...variant, ...options.variant } });
  };
  return {
    kernels,
    async read(tensors) {
      for (const { storage, bytes } of guarded)
        Object.defineProperty(storage, 'byteLength', {
          value: 4 * (Math.ceil(bytes / 4) + CANARY_COUNT),
          configurable: true,
        });
      const tails = guarded.map(({ storage }) => step.read(storage));
      const values = tensors.map(({ storage }) => step.read(storage));
      for (const [i, tail] of tails.entries()) {
        const { storage, bytes } = guarded[i]!;
        const canaries = new Uint32Array(await tail, 4 * Math.ceil(bytes / 4));
        const hurt = canaries.findIndex((word) => word !== CANARY_BITS);
        if (hurt >= 0) throw new Error(`'${storage.label}': a kernel wrote ${hurt} elements behind its ${bytes} bytes`);
      }
      const buffers = await Promise.all(values);
      return buffers.map((buffer, i) => new Float32Array(buffer, 0, tensors[i]!.size));
    },
  };
}
