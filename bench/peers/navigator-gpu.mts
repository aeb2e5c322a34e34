// WebGPU as browsers have it, for libraries that look for navigator.gpu: a Dawn of limn's version.
import { create, globals } from 'webgpu';

let provider: GPU | undefined;

/** Defines navigator.gpu and WebGPU's constants, once; such a library is loaded after that. Dawn lives as long as the process. */
export function defineNavigatorGpu(): void {
  if (provider) return;
  provider = create([]);
  Object.assign(globalThis, globals);
  // Node 20 has no navigator; later ones have one without WebGPU.
  const navigator: object = (globalThis as { readonly navigator?: object }).navigator ?? {
    userAgent: `Node.js/${process.versions.node}`,
  };
  Object.defineProperty(navigator, 'gpu', { value: provider, configurable: true });
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
}
