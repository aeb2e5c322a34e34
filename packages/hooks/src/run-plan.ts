// Checks a run's request against the model before any work: names, reach, order of reads, rows; and says what each site is needed for.
import { LimnError, shownValue } from '@limn/gpu';
import { endLayerOf } from './end-layer.js';
import { givenInterventions, givenList } from './given-list.js';
import type { Intervention } from './intervention.js';
import type { ModelInfo, RunInput, RunOptions } from './model.js';
import { blockHook, hookNames, parseHookName, tryParseHookName, type HookName } from './names.js';
import { checkBatch, lastRows } from './token-batch.js';

/** A checked request. */
export interface RunPlan {
  readonly B: number;
  readonly T: number;
  readonly lengths: readonly number[];
  readonly edits: ReadonlyMap<HookName, readonly Intervention[]>;
  /** Of edits that stand in another's place, the one that was given. */
  readonly given: ReadonlyMap<Intervention, Intervention>;
  /** Sites whose tensor is kept for `run.at`. */
  readonly captured: ReadonlySet<HookName>;
  /** Sites whose tensor is kept for `ctx.at` or `run.at`. */
  readonly kept: ReadonlySet<HookName>;
  /** First block that runs, and the first that does not. */
  readonly firstLayer: number;
  readonly endLayer: number;
  /** Flat rows of the logits; 'all'; or undefined when there are none. */
  readonly logitRows: 'all' | Uint32Array | undefined;
  readonly rows: { readonly start: number; readonly count: number };
  readonly phase: 'prompt' | 'generated';
  /** Absolute position of column 0 of each row. */
  readonly pasts: readonly number[];
}

/**
 * Checks and sorts a request.
 * @throws LimnError `hooks/unknown-site`, `hooks/unreachable-site`, `hooks/late-read`, `hooks/conflicting-sites`, `hooks/bad-extent`, `hooks/bad-input`, `hooks/bad-rows`, `hooks/bad-layer`,
 * `hooks/bad-option` for interventions or captures that are no list of such; `tokens/bad-batch`, `tokens/not-ids`, `tokens/not-in-vocabulary`, `tokens/too-long`.
 */
export function planRun(
  info: ModelInfo,
  input: RunInput,
  options: RunOptions = {},
  pasts?: readonly number[],
): RunPlan {
  const { B, T, lengths } = extent(info, input, pasts === undefined ? 1 : 0);
  const past = pasts ?? lengths.map(() => 0);
  // Padding needs positions as well, as it is computed; a row that has ended (length 0) needs none.
  const needed = Math.max(...past.map((start, b) => (pasts ? start + (lengths[b] as number) : T)));
  if (needed > info.maxPositions) {
    throw new LimnError('tokens/too-long', `${needed} positions are needed; the model has ${info.maxPositions}`, {
      details: { needed, maxPositions: info.maxPositions },
      hint: 'Shorten the prompt or generate fewer tokens.',
    });
  }
  const firstLayer = 'resid' in input ? checkLayer('start layer', input.layer, info.layers - 1) : 0;
  const endLayer = endLayerOf(options.stopAtLayer, info.layers);
  if (endLayer < firstLayer) {
    throw new LimnError(
      'hooks/bad-layer',
      `the run starts at layer ${firstLayer} but is to stop before layer ${endLayer}`,
    );
  }
  if (options.stopAtLayer !== undefined && options.logits !== undefined && options.logits !== 'none') {
    throw new LimnError('hooks/bad-rows', `a run that stops at layer ${endLayer} has no logits`, {
      hint: "Leave out 'logits' or pass 'none'.",
    });
  }
  const logitRows = options.stopAtLayer === undefined ? chooseRows(options.logits ?? 'all', lengths, B, T) : undefined;

  const order = new Map(hookNames(info).map((name, i) => [name, i]));
  const place = (name: HookName): number => order.get(name) as number;
  const first = 'resid' in input ? place(parseHookName(`blocks.${firstLayer}.hook_resid_${input.at}`, info).name) : 0;
  const reached = (name: HookName): boolean => {
    if (place(name) < first) return false;
    const { layer } = parseHookName(name, info);
    if (layer !== undefined) return layer < endLayer;
    return !name.startsWith('ln_final') || logitRows !== undefined;
  };
  const resolve = (given: string, role: string): HookName => {
    const { name } = parseHookName(given, info);
    if (reached(name)) return name;
    const from = 'resid' in input ? `starts from resid_${input.at} of layer ${firstLayer}` : 'starts at the embeddings';
    const to =
      logitRows === undefined
        ? `stops before ${endLayer < info.layers ? `layer ${endLayer}` : 'the final LayerNorm'}`
        : 'ends with logits';
    throw new LimnError(
      'hooks/unreachable-site',
      `${role} ${name}: this run ${from} and ${to}, so it never gets there`,
      {
        details: { site: name },
        hint: 'Choose a site inside the run, or run more of the model.',
      },
    );
  };

  const capture = givenList('capture', options.capture ?? [], "'blocks.0.hook_mlp_out'");
  const captured = new Set(capture.map((name) => resolve(name, 'capture')));
  const kept = new Set(captured);
  const edits = new Map<HookName, Intervention[]>();
  const listed = givenInterventions(options.interventions);
  const interventions = placedByHead(info, listed, captured);
  const given = new Map(interventions.map((edit, i) => [edit, listed[i] as Intervention]));
  refuseExcluded(info, interventions);
  for (const edit of interventions) {
    checkExtent(edit);
    const at = resolve(edit.at, `intervention "${edit.label}" at`);
    for (const given of edit.reads ?? []) {
      const read = resolve(given, `intervention "${edit.label}" reads`);
      if (place(read) >= place(at)) {
        throw new LimnError(
          'hooks/late-read',
          `intervention "${edit.label}" at ${at} reads ${read}, which is not computed before it`,
          {
            details: { at, read },
            hint: 'An intervention can read only earlier sites of the same run.',
          },
        );
      }
      kept.add(read);
    }
    edits.set(at, [...(edits.get(at) ?? []), edit]);
  }
  for (let layer = firstLayer; layer < endLayer; layer++) refuseSplitWithSharedNorm(layer, kept, edits);
  const rows = options.rows ?? { start: 0, count: B };
  if (rows.count !== B || rows.start < 0) {
    throw new LimnError('hooks/bad-rows', `rows says ${rows.count} rows from ${rows.start}, but the run has ${B}`);
  }
  return {
    B,
    T,
    lengths,
    edits,
    given,
    captured,
    kept,
    firstLayer,
    endLayer,
    logitRows,
    rows,
    phase: options.phase ?? 'prompt',
    pasts: past,
  };
}

/** −1 marks padding, so a negative position would edit exactly what is not there. */
function checkExtent(edit: Intervention): void {
  for (const [what, values] of [
    ['positions', edit.positions],
    ['rows', edit.rows],
  ] as const) {
    const bad = values?.find((value) => !Number.isInteger(value) || value < 0);
    if (bad === undefined) continue;
    throw new LimnError('hooks/bad-extent', `intervention "${edit.label}" has ${bad} among its ${what}`, {
      details: { label: edit.label, what, given: bad },
      hint: `Give whole numbers from 0; ${what} are not counted from the end.`,
    });
  }
}

/**
 * Edits of hook_attn_out that can be made head by head are, in layers whose heads' results somebody else looks at or edits, and wherever edits of all heads
 * together are ruled out: results then have the edit in them, each its own part.
 */
function placedByHead(
  info: ModelInfo,
  interventions: readonly Intervention[],
  captured: ReadonlySet<HookName>,
): readonly Intervention[] {
  if (interventions.every(({ byHead }) => byHead === undefined)) return interventions;
  const fixed = interventions.filter(({ byHead }) => byHead === undefined);
  const excluded = fixed.some(({ excludes }) => excludes?.includes('hook_attn_out'));
  const touched = new Set<HookName | undefined>([
    ...captured,
    ...fixed.flatMap(({ at, reads = [] }) => [at, ...reads].map((name) => tryParseHookName(name)?.name)),
  ]);
  return interventions.map((edit) =>
    edit.byHead && (excluded || touched.has(parseHookName(edit.byHead.at, info).name)) ? edit.byHead : edit,
  );
}

/** A circuit says what every slot reads; an edit of the stream itself would be in none of its edges. */
function refuseExcluded(info: ModelInfo, interventions: readonly Intervention[]): void {
  const excluding = interventions.find(({ excludes }) => excludes !== undefined);
  const excluded = new Set<string>(interventions.flatMap(({ excludes }) => excludes ?? []));
  const edit = interventions.find(
    ({ at, excludes }) => excludes === undefined && excluded.has(parseHookName(at, info).site),
  );
  if (!excluding || !edit) return;
  throw new LimnError(
    'hooks/conflicting-sites',
    `intervention "${edit.label}" cannot be in one run with "${excluding.label}", which rules out edits of ${[...excluded].join(', ')}`,
    {
      details: { sites: [edit.at, excluding.at] },
      hint: 'Edit the outputs of nodes instead (hook_mlp_out, attn.hook_z, attn.hook_result, hook_embed), or use two runs.',
    },
  );
}

/** Slots with inputs of their own have LayerNorms of their own: an edit on either side would silently miss the other. */
function refuseSplitWithSharedNorm(
  layer: number,
  kept: ReadonlySet<HookName>,
  edits: ReadonlyMap<HookName, readonly Intervention[]>,
): void {
  const split = (['hook_q_input', 'hook_k_input', 'hook_v_input'] as const).map((site) => blockHook(layer, site));
  const norm = (['ln1.hook_scale', 'ln1.hook_normalized'] as const).map((site) => blockHook(layer, site));
  const reads = new Set(
    [...edits.values()]
      .flat()
      .filter(({ readsSlot }) => !readsSlot)
      .flatMap((edit) => (edit.reads ?? []).map((read) => tryParseHookName(read)?.name)),
  );
  const editedSplit = split.find((name) => edits.has(name));
  const usedNorm = norm.find((name) => edits.has(name) || reads.has(name));
  const editedNorm = norm.find((name) => edits.has(name));
  const usedSplit = split.find((name) => edits.has(name) || kept.has(name));
  const pair =
    editedSplit && usedNorm ? [editedSplit, usedNorm] : editedNorm && usedSplit ? [usedSplit, editedNorm] : undefined;
  if (!pair) return;
  throw new LimnError(
    'hooks/conflicting-sites',
    `${pair.join(' and ')} cannot be edited in one run: the slots' own inputs pass through LayerNorms of their own`,
    {
      details: { sites: pair },
      hint: 'Edit hook_resid_pre or the slots instead, or use two runs.',
    },
  );
}

function extent(info: ModelInfo, input: RunInput, fewest: 0 | 1): { B: number; T: number; lengths: readonly number[] } {
  if ('tokens' in input) {
    checkBatch(input.tokens, info, { fewest });
    return input.tokens;
  }
  const x = 'embeddings' in input ? input.embeddings : input.resid;
  const [B, T, C] = x.shape;
  const { lengths } = input;
  if (x.shape.length !== 3 || C !== info.width || B === undefined || T === undefined) {
    throw new LimnError(
      'hooks/bad-input',
      `the run's input has shape [${x.shape.join(', ')}]; expected [B, T, ${info.width}]`,
    );
  }
  if (lengths.length !== B || lengths.some((n) => !Number.isInteger(n) || n < 1 || n > T)) {
    throw new LimnError(
      'hooks/bad-input',
      `lengths are [${lengths.join(', ')}]; expected ${B} whole numbers from 1 to ${T}`,
    );
  }
  return { B, T, lengths };
}

function checkLayer(what: string, layer: number, highest: number): number {
  if (Number.isInteger(layer) && layer >= 0 && layer <= highest) return layer;
  throw new LimnError('hooks/bad-layer', `${what} is ${layer}; it must be a whole number from 0 to ${highest}`, {
    details: { given: layer, highest },
  });
}

function chooseRows(
  choice: NonNullable<RunOptions['logits']>,
  lengths: readonly number[],
  B: number,
  T: number,
): 'all' | Uint32Array | undefined {
  if (choice === 'all') return 'all';
  if (choice === 'none') return undefined;
  if (choice === 'last') return lastRows(lengths, T);
  if (typeof choice !== 'object') {
    throw new LimnError('hooks/bad-rows', `logits is ${shownValue(choice)}, which names no rows`, {
      hint: "Give 'all', 'last', 'none', or a list of flat indices b·T + t.",
    });
  }
  const bad = Array.from(choice).find((row) => !Number.isInteger(row) || row < 0 || row >= B * T);
  if (bad !== undefined || choice.length === 0) {
    throw new LimnError(
      'hooks/bad-rows',
      `logit rows must be flat indices b·T + t from 0 to ${B * T - 1}; got ${bad ?? 'none'}`,
    );
  }
  return Uint32Array.from(choice);
}
