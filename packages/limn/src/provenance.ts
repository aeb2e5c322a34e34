// Who computed a result, with what, and what to type to compute it again.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Gpu } from '@limn/gpu';
import type { Provenance } from '@limn/report';
import { commandLine } from './command-line.js';
import type { CommandContext } from './context.js';
import { kernelPlan } from './kernel-plan.js';
import type { OpenModel } from './model-source.js';
import { version } from './version.js';

/** What of a result's origin only the caller knows. */
export interface ProvenanceRequest {
  /** What decides the numbers. */
  readonly options: Provenance['options'];
  /** null where nothing is drawn at random. */
  readonly seed: number | null;
  /** What was run: decides which kernels the adapter's plan has. Empty where nothing was. */
  readonly prompts: readonly (readonly number[])[];
  /** Whether a BOS was put in front of the text; null where token ids were taken as they are. */
  readonly prependBos: boolean | null;
  /** Of a circuit, from `pairsSha256`. */
  readonly pairsSha256?: Provenance['pairsSha256'];
}

/** The origin of a result: versions, adapter, model with the sha256 of its weights, options, and the command that gives it again. */
export function provenanceOf(
  gpu: Gpu,
  model: OpenModel,
  { words, env }: Pick<CommandContext, 'words' | 'env'>,
  { options, seed, prompts, prependBos, pairsSha256 }: ProvenanceRequest,
): Provenance {
  const { adapter, source, f16, subgroups } = gpu.capabilities;
  const { info } = model.hooked;
  return {
    versions: { limn: version, node: process.versions.node, webgpu: versionOf('webgpu') },
    adapter: { ...adapter, source, f16, subgroups },
    model: {
      name: model.name,
      weightsSha256: info.fingerprint,
      weightProcessing: info.processing,
      architecture: info.architecture,
      ...(model.loras === undefined ? {} : { loras: model.loras }),
    },
    prependBos,
    ...(pairsSha256 === undefined ? {} : { pairsSha256 }),
    options,
    seed,
    commandLine: commandLine(words, env),
    kernelPlan: kernelPlan(model.hooked, prompts),
  };
}

/** The installed version of a dependency, from its package.json. */
function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  let folder = path.dirname(require.resolve(name));
  for (; path.dirname(folder) !== folder; folder = path.dirname(folder)) {
    const manifest = readManifest(path.join(folder, 'package.json'));
    if (manifest?.name === name) return manifest.version ?? 'unknown';
  }
  return 'unknown';
}

function readManifest(file: string): { readonly name?: string; readonly version?: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
  } catch {
    return undefined;
  }
}
