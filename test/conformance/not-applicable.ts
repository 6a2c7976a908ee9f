/** Cases that apply to no kernel, because they ask for what only the other program is or has; the reason is for the report. */
export const notApplicable: Readonly<Record<string, string>> = {};
