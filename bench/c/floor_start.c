// floor_start: does nothing; what starting and ending a program costs.
int main(void) { return 0; }
