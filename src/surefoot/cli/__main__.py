from surefoot.cli import main

main()
