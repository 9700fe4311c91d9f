/** What the server sends to the player: `play` in fcn/ui/stepper/stepper.py. */
interface StepperData {
  scores: number[][];
  stride: number;
  kernel: number[][];
  title: string;
  own: boolean; // whether the kernel may be edited
  keras: number[][]; // Keras' result
}

/** What the visitor edits. */
type Numbers = "scores" | "kernel";

/** A cell of a drawing and its lines of text. */
interface Cell {
  rect: SVGElement;
  texts: SVGElement[];
}
