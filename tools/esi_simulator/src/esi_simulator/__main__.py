from esi_simulator.main import main

if __name__ == "__main__":
    main()
