// What defines a decision of an op between several plans: its classes of cases, its rule, its candidates, and a digest of what is on offer.
import type { Capabilities } from '@limn/gpu';

/** What cases have in common that share a choice. */
export interface CaseClass {
  /** What does not compare: transposes, types, alignment. May be empty. */
  readonly kind: string;
  /** Sizes by name, each the upper end of its class (`sizeClass`). */
  readonly sizes: Readonly<Record<string, number>>;
}

/** What defines a decision; pure, and without a device. */
export interface DecisionRules<Case, Plan> {
  /** One word. */
  readonly name: string;
  /** The class of a case. */
  classOf(of: Case): CaseClass;
  /** The built-in rule. */
  rule(capabilities: Capabilities, of: Case): Plan;
  /** The plans worth measuring, all of them able to run the case here; the rule's first, none twice. */
  candidates(capabilities: Capabilities, of: Case): readonly Plan[];
  /** What a plan is called in every case: words, the more particular ones last. Different for each of the candidates. */
  nameOf(plan: Plan): string;
  /** Cases that stand for their classes and are measured, those that matter most first. */
  readonly cases: readonly Case[];
}

/** The next power of four: 1, 4, 16, 64, 256, 1024, 4096 … */
export function sizeClass(size: number): number {
  let end = 1;
  while (end < size) end *= 4;
  return end;
}

/** The name of a class among the choices, as 'matmul nt m64 n4096 k1024'. */
export function className(decision: string, { kind, sizes }: CaseClass): string {
  const parts = Object.entries(sizes).map(([name, size]) => `${name}${size}`);
  return [decision, ...(kind ? [kind] : []), ...parts].join(' ');
}

/** The name under which choices say what was on offer when they were taken. */
export const offerName = (decision: string): string => `${decision} offer`;

/**
 * Eight hex digits over the cases' classes and the names of their candidates, the rule's first, on this device. Choices that were taken
 * among others are of another version.
 */
export function offerOf<Case, Plan>(capabilities: Capabilities, rules: DecisionRules<Case, Plan>): string {
  const lines = rules.cases.map((of) => {
    const plans = rules.candidates(capabilities, of).map((plan) => rules.nameOf(plan));
    return `${className(rules.name, rules.classOf(of))}: ${plans.join(', ')}`;
  });
  return fnv1a(lines.join('\n'));
}

/** FNV-1a with 32 bits: finds what changed; nobody means harm. */
function fnv1a(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
