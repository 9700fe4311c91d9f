// What the server sends of a training: fcn/ui/learning/learning.py. Arrays are packed by `pack`.

type Figure = "loss" | "miou" | "boundary_f1";
type Goal = "nearest" | "bilinear";
type View = "learned" | Goal | "truth";

/** `recorded_payload` or `live_payload`; what does not change is sent once, with the first result. */
interface LearningData {
  live: boolean;
  run: string;
  settings: string;
  last: number; // step
  state?: TrainingState | null; // of a live one
  first: number; // place of the first of these results
  results: Result[];
  goals?: Record<Goal, Record<Figure, number>>;
  labels?: Record<Exclude<View, "learned">, string>;
  photo?: string; // address
  width?: number;
  height?: number;
  classes?: string[];
  palette?: Colour[];
  side?: number; // of a kernel
  pairs?: string[];
}

/** The state of a live training: `state` in fcn/ui/pages/learn.py. */
interface TrainingState {
  step: number;
  doing: string;
  done: boolean;
  trouble: string;
  words: string;
}

/** What a training has reached after some steps: `Result` in fcn/compute/learning.py. */
interface Result extends Record<Figure | "seen", number> {
  step: number;
  labels: string;
  kernels: string;
  limits: number[];
  unpacked?: { labels: Uint8Array; kernels: Int8Array }; // here
}
