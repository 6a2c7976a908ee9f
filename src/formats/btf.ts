export class Btf {}
