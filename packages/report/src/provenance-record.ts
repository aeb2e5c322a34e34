// What every record says of its making: who computed a result, with what, and how to compute it again.
import { anyJson, finite, list, object, orNull, record, text, whole, yesNo } from './schema.js';
import type { Infer } from './schema.js';

const sha256 = text({ pattern: /^[0-9a-f]{64}$/ });

/** Versions, adapter, model, options, seed and the command. */
export const provenanceSchema = object(
  {
    /** Versions of limn, the runtime and the WebGPU implementation. */
    versions: record(text({ longest: 200 })),
    adapter: record(anyJson(3)),
    model: object(
      {
        name: text({ longest: 1000 }),
        weightsSha256: sha256,
        weightProcessing: text({ longest: 10_000 }),
      },
      {
        architecture: text({ longest: 200 }),
        parameters: whole(),
        /** LoRAs that it ran with, each times its strength; the sha256 of the base is that of the weights without. */
        loras: list(object({ name: text({ longest: 1000 }), sha256, strength: finite }), { most: 100 }),
      },
    ),
    options: record(anyJson()),
    seed: orNull(whole()),
    /** What to type to get the same result again. */
    commandLine: text({ longest: 20_000 }),
  },
  {
    /** Kernel variants in use: equal bits are promised per plan. */
    kernelPlan: text({ longest: 20_000 }),
    /** Whether a BOS was put in front of text; null where token ids were taken as they are. */
    prependBos: orNull(yesNo),
    /** Over the token ids of prompts and answers: of the pairs that were searched with, and of those that measure. */
    pairsSha256: object({ search: sha256, evaluation: sha256 }),
  },
);

/**
 * Who computed a result, with what, and how to compute it again.
 * @useDeclaredType
 */
export type Provenance = Infer<typeof provenanceSchema>;
