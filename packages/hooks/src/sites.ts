// Runs the interventions and keeps the captures of one forward pass; a model's code only says "here is this site".
import { LimnError, type Step } from '@limn/gpu';
import { fromData, identity, selectRows, type Tensor } from '@limn/tensor';
import { expectTensor } from './expected-tensor.js';
import type { Intervention, InterventionContext } from './intervention.js';
import type { Run, SkippedIntervention } from './model.js';
import { blockHook, parseHookName, tryParseHookName, type HookName, type SiteOwner } from './names.js';
import type { RunPlan } from './run-plan.js';

/** The hook sites of one run. A model calls `visit` for every site it makes, and asks `wants` before making an expensive one. */
export class Sites {
  private readonly tensors = new Map<HookName, Tensor>();
  private readonly done = new Set<Intervention>();
  private readonly skipped: SkippedIntervention[] = [];
  private readonly masks = new Map<string, Tensor>();
  private readonly ofSlots = new Map<HookName, Tensor>();
  private absolute: Int32Array | undefined;
  private fired = 0;

  constructor(
    private readonly step: Step,
    private readonly model: SiteOwner,
    readonly plan: RunPlan,
  ) {}

  /** Whether anyone captures, edits or reads this site. */
  wants(name: HookName): boolean {
    return this.plan.kept.has(name) || this.plan.edits.has(name);
  }

  /**
   * Applies the site's interventions in order, keeps the tensor if it is wanted later, and gives it back. Zero-copy when nothing is edited.
   * @throws LimnError `hooks/undeclared-read`, `hooks/unknown-site`, `hooks/wrong-shape`
   */
  visit(name: HookName, x: Tensor): Tensor {
    if (!this.wants(name)) return x;
    let value = identity(x, name);
    for (const edit of this.plan.edits.get(name) ?? []) value = this.apply(edit, name, value);
    if (this.plan.kept.has(name)) this.tensors.set(name, value);
    return value;
  }

  /** Says what a slot with an input of its own projects in the place of ln1.hook_normalized, [B, T, H, C]: edits there that take it by head are given it. */
  readSlot(layer: number, letter: 'q' | 'k' | 'v', tensor: Tensor): void {
    this.ofSlots.set(blockHook(layer, `attn.hook_${letter}`), tensor);
  }

  /**
   * Ends the run, which throws `hooks/no-logits` and `hooks/not-captured` itself.
   * @throws LimnError `hooks/never-fired` if the model skipped a site that it has
   */
  finish(resid: Tensor, logits: Tensor | undefined): Run {
    const { B, T, lengths, captured } = this.plan;
    for (const edit of [...this.plan.edits.values()].flat()) {
      if (this.done.has(edit)) continue;
      throw new LimnError('hooks/never-fired', `intervention "${edit.label}" at ${edit.at} was never reached`, {
        details: { label: edit.label, site: edit.at },
      });
    }
    const missing = [...captured].find((name) => !this.tensors.has(name));
    if (missing !== undefined)
      throw new LimnError('hooks/never-fired', `captured site ${missing} was never reached`, {
        details: { site: missing },
      });
    return {
      B,
      T,
      lengths,
      resid,
      get logits() {
        if (logits) return logits;
        throw new LimnError('hooks/no-logits', 'this run was asked for no logits', {
          hint: "Leave out stopAtLayer and logits: 'none'.",
        });
      },
      fired: this.fired,
      skipped: this.skipped,
      at: (name) => {
        const tensor = captured.has(name)
          ? this.tensors.get(name)
          : this.tensors.get(tryParseHookName(name)?.name ?? name);
        if (tensor) return tensor;
        throw new LimnError('hooks/not-captured', `${name} was not captured by this run`, {
          details: { site: name, captured: [...captured] },
          hint: `Add it to 'capture'. Captured: ${[...captured].join(', ') || 'nothing'}.`,
        });
      },
    };
  }

  private apply(edit: Intervention, site: HookName, x: Tensor): Tensor {
    this.done.add(edit);
    const given = this.plan.given.get(edit) as Intervention;
    const where = this.selected(edit);
    if (typeof where === 'string') {
      this.skipped.push({ label: edit.label, at: site, reason: where, intervention: given });
      return x;
    }
    const positions = this.positions();
    if (where === undefined || where.some((chosen, i) => chosen === 1 && (positions[i] as number) >= 0)) this.fired++;
    // All its rows have ended. It is applied all the same, so that the steps of a generation share a plan.
    else this.skipped.push({ label: edit.label, at: site, reason: 'row', intervention: given });
    const edited = expectTensor(edit.apply(x, this.context(edit, site)), x.shape, {
      who: `intervention "${edit.label}"`,
      where: `at ${site}`,
      details: { site },
    });
    return where === undefined || edited === x ? edited : selectRows(this.step, this.mask(where, site, x), edited, x);
  }

  private context(edit: Intervention, site: HookName): InterventionContext {
    const { layer } = parseHookName(site, this.model);
    const { lengths, rows, phase } = this.plan;
    return {
      step: this.step,
      site,
      ...(layer === undefined ? {} : { layer }),
      at: (name) => {
        const resolved = parseHookName(name, this.model).name;
        const declared = edit.reads?.some((read) => tryParseHookName(read)?.name === resolved);
        const ofSlot = edit.readsSlot && resolved.endsWith('ln1.hook_normalized') ? this.ofSlots.get(site) : undefined;
        const tensor = declared ? (ofSlot ?? this.tensors.get(resolved)) : undefined;
        if (tensor) return tensor;
        throw new LimnError(
          'hooks/undeclared-read',
          `intervention "${edit.label}" reads ${name} without declaring it`,
          {
            hint: `Add it to the intervention's 'reads'.`,
          },
        );
      },
      positions: this.positions(),
      lengths,
      rows,
      phase,
    };
  }

  private positions(): Int32Array {
    const { B, T, lengths, pasts } = this.plan;
    this.absolute ??= Int32Array.from({ length: B * T }, (_, i) => {
      const row = Math.floor(i / T);
      return i % T < (lengths[row] as number) ? (pasts[row] as number) + (i % T) : -1;
    });
    return this.absolute;
  }

  /** 1 where the edit holds, per [B, T]; undefined when it holds everywhere; the reason when it holds nowhere. */
  private selected(edit: Intervention): Uint32Array | undefined | SkippedIntervention['reason'] {
    const { B, T, rows, phase } = this.plan;
    if (edit.phase !== undefined && edit.phase !== phase) return 'phase';
    if (edit.rows === undefined && edit.positions === undefined) return undefined;
    const chosenRows = edit.rows === undefined ? undefined : new Set(edit.rows);
    const hasRow = (b: number): boolean => chosenRows === undefined || chosenRows.has(rows.start + b);
    if (!Array.from({ length: B }, (_, b) => hasRow(b)).includes(true)) return 'row';
    const chosenPositions = edit.positions === undefined ? undefined : new Set(edit.positions);
    const absolute = this.positions();
    const mask = Uint32Array.from(absolute, (position, i) =>
      hasRow(Math.floor(i / T)) && (chosenPositions === undefined || chosenPositions.has(position)) ? 1 : 0,
    );
    return mask.includes(1) ? mask : 'position';
  }

  /** The mask on the device, one entry per leading [B, T], or per [B, H, T] at sites whose positions come third. */
  private mask(where: Uint32Array, site: HookName, x: Tensor): Tensor {
    const { B, T } = this.plan;
    const perHead = parseHookName(site, this.model).axes === 'BHTS';
    const heads = perHead ? (x.shape[1] as number) : 1;
    const key = `${perHead ? heads : ''}:${where.join('')}`;
    const known = this.masks.get(key);
    if (known) return known;
    const spread = Uint32Array.from(
      { length: B * heads * T },
      (_, i) => where[Math.floor(i / (heads * T)) * T + (i % T)] as number,
    );
    const mask = fromData(this.step, spread, perHead ? [B, heads, T] : [B, T]);
    this.masks.set(key, mask);
    return mask;
  }
}
